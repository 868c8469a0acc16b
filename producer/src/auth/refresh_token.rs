//! Refresh tokens: random, shown once, and kept only as a hash.

use std::fmt::Write;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// A new one: 32 random bytes in hexadecimal.
pub(super) fn generate() -> SecretString {
    let bytes: [u8; 32] = rand::random();
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a string takes what is written to it");
    }
    text.into()
}

/// What is kept of it.
pub(super) fn hash(token: &SecretString) -> Vec<u8> {
    Sha256::digest(token.expose_secret()).to_vec()
}
