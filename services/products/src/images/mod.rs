//! Images of products: kept in an S3 bucket, each under a key of its own, and shown once the product says so.
//!
//! An object is uploaded first, then one change of the product's document makes it the image, then the one before it is removed.
//! What a crash leaves in between is an object that no product shows, which `Sweep` removes.

mod args;
mod bucket;
mod headers;
mod key;
mod kind;
mod picture;
mod remover;
mod storage;
mod sweep;
mod transport;
mod upload;

pub use args::S3Args;
pub(crate) use headers::{announced, is_known};
pub(crate) use key::Key;
pub(crate) use kind::Kind;
pub use picture::{Image, Picture};
pub(crate) use remover::{Leftovers, Remover};
pub(crate) use storage::Storage;
pub(crate) use sweep::Sweep;
pub(crate) use upload::{discard, receive};

/// The largest image, in bytes.
pub(crate) const LARGEST: usize = 5 * 1024 * 1024;
