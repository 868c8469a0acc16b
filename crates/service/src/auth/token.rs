//! Access tokens: issued by the one who knows the users, read by every service.

use std::fmt;
use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::args::AuthArgs;
use super::hs256;
use super::identity::Identity;
use super::known::KnownTokens;
use super::role::Roles;

/// How far apart the services' clocks may be.
pub const LEEWAY: Duration = Duration::from_secs(5);

/// The longest token that is looked at; ours have some 400 bytes.
const LONGEST: usize = 4_096;

/// What a token says. All of it must be there, and each of its type.
#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    exp: u64,
    iat: u64,
    nbf: u64,
    sub: Uuid,
    roles: Roles,
    sid: Uuid,
    jti: Uuid,
}

/// Issues tokens.
#[derive(Clone)]
pub struct Issuer {
    key: EncodingKey,
    issuer: String,
    audience: String,
}

/// A token that was issued.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The token.
    pub token: SecretString,
    /// How long it lives.
    pub lives: Duration,
}

impl Issuer {
    /// An issuer of tokens that a [`Verifier`](super::Verifier) with the same arguments accepts.
    ///
    /// # Errors
    /// If the secret is not one.
    pub fn new(args: &AuthArgs) -> anyhow::Result<Self> {
        hs256::install();
        let (issuer, audience) = (args.jwt_issuer.clone(), args.jwt_audience.clone());
        Ok(Self { key: EncodingKey::from_secret(args.secret()?), issuer, audience })
    }

    /// A token for a user's session that lives this long, in whole seconds.
    ///
    /// # Errors
    /// None that could be provoked.
    pub fn issue(&self, user_id: Uuid, session_id: Uuid, roles: &Roles, lives: Duration) -> anyhow::Result<Issued> {
        let now = jsonwebtoken::get_current_timestamp();
        let lives = Duration::from_secs(lives.as_secs().max(1));
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: self.audience.clone(),
            exp: now + lives.as_secs(),
            iat: now,
            nbf: now,
            sub: user_id,
            roles: roles.clone(),
            sid: session_id,
            jti: Uuid::now_v7(),
        };
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.key)?;
        Ok(Issued { token: token.into(), lives })
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// Reads tokens.
pub(super) struct Reader {
    key: DecodingKey,
    validation: Validation,
    known: KnownTokens,
}

impl Reader {
    pub(super) fn new(args: &AuthArgs) -> anyhow::Result<Self> {
        hs256::install();
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = LEEWAY.as_secs();
        validation.validate_nbf = true;
        validation.set_issuer(&[&args.jwt_issuer]);
        validation.set_audience(&[&args.jwt_audience]);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        Ok(Self { key: DecodingKey::from_secret(args.secret()?), validation, known: KnownTokens::default() })
    }

    /// Whom a token names, if it is one of ours and holds now.
    pub(super) fn read(&self, token: &[u8]) -> Option<Identity> {
        if token.len() > LONGEST {
            return None;
        }
        if let Some(identity) = self.known.get(token) {
            return holds(&identity, jsonwebtoken::get_current_timestamp()).then_some(identity);
        }
        let identity = self.verified(token)?;
        self.known.add(token, identity.clone());
        Some(identity)
    }

    fn verified(&self, token: &[u8]) -> Option<Identity> {
        let token = jsonwebtoken::decode::<Claims>(token, &self.key, &self.validation).ok()?;
        // Ours name no key, and nothing else that a reader could be led astray by.
        if token.header != Header::new(Algorithm::HS256) {
            return None;
        }
        let Claims { sub, sid, roles, exp, .. } = token.claims;
        let expires_at = OffsetDateTime::from_unix_timestamp(i64::try_from(exp).ok()?).ok()?;
        Some(Identity { user_id: sub, session_id: sid, roles, expires_at })
    }
}

/// Whether a token that was in order still is, by the same rule that it was verified by. It had begun then, and nothing else
/// changes with time.
fn holds(identity: &Identity, now: u64) -> bool {
    let expired_since = now.saturating_sub(LEEWAY.as_secs());
    u64::try_from(identity.expires_at.unix_timestamp()).is_ok_and(|expires_at| expires_at >= expired_since)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Roles;

    #[test]
    fn a_token_that_is_known_expires_as_any_other() {
        let expires_at = OffsetDateTime::from_unix_timestamp(1_000).unwrap();
        let (user_id, session_id) = (Uuid::nil(), Uuid::nil());
        let identity = Identity { user_id, session_id, roles: Roles::default(), expires_at };
        assert!([0, 1_000, 1_005].iter().all(|now| holds(&identity, *now)));
        assert!([1_006, u64::MAX].iter().all(|now| !holds(&identity, *now)));
    }
}
