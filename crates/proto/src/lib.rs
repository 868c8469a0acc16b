//! The gRPC services that Warren's programs offer each other, and their generated code.
//!
//! The `.proto` files in this crate's folder `proto/` are the documentation of each call: units, limits, statuses. Features:
//! `client` is the code for calling, `server` the code for answering.

mod convert;

pub use convert::{Malformed, instant, required, timestamp, uuid};

/// Package `warren.v1`.
pub mod v1 {
    #![allow(missing_docs, unreachable_pub, clippy::all, clippy::allow_attributes_without_reason, reason = "generated")]
    tonic::include_proto!("warren.v1");
}

/// Every file of `warren.v1` and what it imports, encoded: what tonic-reflection answers with.
pub const FILE_DESCRIPTOR_SET: &[u8] = tonic::include_file_descriptor_set!("warren.v1");
