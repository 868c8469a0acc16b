//! What programs and the registry say to each other over HTTP: who runs where.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

/// Where the port of an instance's gRPC stands in its metadata, if it has one.
pub const GRPC_PORT: &str = "grpc_port";

/// One running process of a service, and where it answers HTTP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Instance {
    /// New for each start of a process: what is known of an earlier one does not hold for this.
    #[schema(example = "producer-0198c5a2-6f6e-7cc3-98b7-8c4e1f7f2b11")]
    pub id: String,
    /// An IP address, or a name that the registry looks up once, when the instance registers.
    #[schema(example = "127.0.0.1")]
    pub host: String,
    /// The port of its HTTP.
    #[schema(example = 8081, minimum = 1)]
    pub port: u16,
    /// What else callers may want to know: `version`, `grpc_port`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

/// `POST /register`: an instance is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Register {
    /// The service it is an instance of.
    #[schema(example = "producer")]
    pub service: String,
    /// The instance.
    pub instance: Instance,
}

/// `POST /heartbeat`: an instance is still there. `POST /deregister`: it leaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InstanceRef {
    /// The service it is an instance of.
    #[schema(example = "producer")]
    pub service: String,
    /// The instance's id.
    #[schema(example = "producer-0198c5a2-6f6e-7cc3-98b7-8c4e1f7f2b11")]
    pub instance_id: String,
}

/// `GET /discover/{service}`, and each event of `GET /watch`: the healthy instances of a service, in the order of their ids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Discovered {
    /// The service.
    #[schema(example = "producer")]
    pub service: String,
    /// Those that can be called, at IP addresses that were checked. Empty if there is none.
    pub instances: Vec<Instance>,
}

/// `GET /services`: every instance, healthy or not, by service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Services {
    /// By service, in the order of their ids.
    pub services: BTreeMap<String, Vec<InstanceStatus>>,
}

/// An instance and how it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InstanceStatus {
    /// The instance.
    #[serde(flatten)]
    pub instance: Instance,
    /// Whether its last heartbeat is recent enough.
    pub healthy: bool,
    /// When it registered.
    #[serde(with = "time::serde::rfc3339")]
    pub registered_at: OffsetDateTime,
    /// When it was last heard of.
    #[serde(with = "time::serde::rfc3339")]
    pub last_heartbeat: OffsetDateTime,
}
