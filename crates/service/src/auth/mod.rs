//! Who sends a request: access tokens issued, verified, and looked up among the sessions that have ended.
//!
//! A token is a JWT signed with HS256 by a secret that all services share. Each service verifies tokens itself and believes
//! no header that somebody else set.

mod args;
mod describe;
mod ended;
mod guard;
mod hs256;
mod identity;
mod known;
mod role;
mod token;
mod verifier;

pub use args::{AuthArgs, Environment};
pub use describe::{describe, describe_strict};
pub use guard::guard;
pub use identity::{Identity, MaybeIdentity, missing_token};
pub use role::{Role, Roles};
pub use token::{Issued, Issuer, LEEWAY};
pub use verifier::Verifier;

#[cfg(test)]
mod tests;
