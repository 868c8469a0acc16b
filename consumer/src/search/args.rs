//! The settings of the search.

use clap::Args;
use secrecy::{ExposeSecret, SecretString};

/// Where the search is.
#[derive(Args, Clone, Debug)]
pub struct SearchArgs {
    /// Elasticsearch 8 or OpenSearch 2, such as http://127.0.0.1:9200. Without one nothing is indexed, and the task says so.
    #[arg(long, env = "SEARCH_URL", hide_env_values = true)]
    search_url: Option<SecretString>,

    /// The alias of the index of users.
    #[arg(long, env = "SEARCH_USERS_INDEX", value_parser = index_name, default_value = "users")]
    pub search_users_index: String,

    /// The alias of the index of products.
    #[arg(long, env = "SEARCH_PRODUCTS_INDEX", value_parser = index_name, default_value = "products")]
    pub search_products_index: String,
}

impl SearchArgs {
    /// The URL, if there is a search. An empty variable is none.
    pub fn url(&self) -> Option<&SecretString> {
        self.search_url.as_ref().filter(|url| !url.expose_secret().is_empty())
    }
}

/// A name that needs no escaping in a path, and that no server reads as anything else.
fn index_name(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    let begins = text.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
    if begins && text.len() <= 100 && text.bytes().all(plain) {
        return Ok(text.to_owned());
    }
    Err("expected lowercase letters, digits, - and _, a letter first, and at most 100 of them".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_has_a_plain_name() {
        assert_eq!(index_name("users_2").as_deref(), Ok("users_2"));
        for wrong in ["", "Users", "_all", "users,products", "users*", "../users", "users/x", "ü", &"x".repeat(101)] {
            assert!(index_name(wrong).is_err(), "{wrong}");
        }
    }
}
