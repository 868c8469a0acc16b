//! How the instances are, as seen from here.

use serde::Serialize;
use utoipa::ToSchema;

/// An instance, as those who call it see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct InstanceReport {
    /// The service.
    #[schema(example = "producer")]
    pub service: String,
    /// The instance's id; its address, if it comes from the settings.
    #[schema(example = "producer-0198c5a2-6f6e-7cc3-98b7-8c4e1f7f2b11")]
    pub instance: String,
    /// Where it is.
    #[schema(example = "127.0.0.1:8081")]
    pub address: String,
    /// Whether it is called.
    pub breaker: BreakerState,
    /// How many calls in a row it has not answered.
    pub consecutive_failures: u32,
    /// Calls and streams in flight.
    pub in_flight: usize,
}

/// Whether an instance is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// It is.
    Closed,
    /// It has failed too often, and is left alone for a while.
    Open,
    /// One call tries whether it is well again.
    HalfOpen,
}
