//! What all services must agree on to understand each other's tokens.

use clap::{Args, ValueEnum};
use secrecy::{ExposeSecret, SecretString};

/// What everybody can read in the example, and so nobody may rely on.
const EXAMPLE: &str = "warren-development-secret-change-me!";

/// RFC 7518, 3.2: a key for HS256 has at least as many bytes as the hash.
const SHORTEST: usize = 32;

/// How strict a program is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Environment {
    /// Example secrets will do, and requests without a token are let in.
    Development,
    /// Secrets must be secret, and requests need a token.
    Production,
}

/// How tokens are signed and what they must say; the same for all services.
#[derive(Args, Clone, Debug)]
pub struct AuthArgs {
    /// The secret that access tokens are signed with: at least 32 bytes, the same for all services.
    #[arg(long, env, hide_env_values = true, default_value = EXAMPLE)]
    pub jwt_secret: SecretString,

    /// Who issues the tokens: their `iss`.
    #[arg(long, env, default_value = "warren")]
    pub jwt_issuer: String,

    /// Whom they are for: their `aud`.
    #[arg(long, env, default_value = "warren")]
    pub jwt_audience: String,

    /// In production example secrets are refused, and requests need a token.
    #[arg(long, env, value_enum, default_value = "development")]
    pub environment: Environment,
}

impl AuthArgs {
    /// Checks the secret, for programs that do much before they verify a token.
    ///
    /// # Errors
    /// If it is not one.
    pub fn check(&self) -> anyhow::Result<()> {
        self.secret().map(drop)
    }

    /// The secret, if it is one.
    pub(super) fn secret(&self) -> anyhow::Result<&[u8]> {
        let secret = self.jwt_secret.expose_secret();
        anyhow::ensure!(secret.len() >= SHORTEST, "JWT_SECRET must have at least {SHORTEST} bytes");
        anyhow::ensure!(
            self.environment == Environment::Development || secret != EXAMPLE,
            "JWT_SECRET is the example that everybody knows; with ENVIRONMENT=production it must be a secret"
        );
        Ok(secret.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Config {
        #[command(flatten)]
        auth: AuthArgs,
    }

    fn refused(arguments: &[&str]) -> String {
        let config = Config::try_parse_from([&["program"], arguments].concat()).unwrap();
        config.auth.secret().map_or_else(|error| error.to_string(), |_| String::new())
    }

    #[test]
    fn production_wants_a_secret_of_its_own_and_nobody_takes_a_short_one() {
        assert_eq!(refused(&[]), "");
        assert!(refused(&["--environment=production"]).contains("everybody knows"));
        assert!(refused(&["--jwt-secret=0123456789012345678901234567890"]).contains("32 bytes"));
        assert_eq!(refused(&["--environment=production", "--jwt-secret=01234567890123456789012345678901"]), "");
    }
}
