//! The standard health service, as the program's own health has it.

use std::pin::Pin;
use std::time::Duration;

use futures_util::{Stream, stream};
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::Health as Answer;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::Health;
use crate::health::Status as HealthStatus;

/// How often health is looked at for those who watch it.
const LOOKED_AT: Duration = Duration::from_secs(1);

#[derive(Clone, Debug)]
pub(super) struct HealthService {
    health: Health,
    names: Vec<&'static str>,
}

impl HealthService {
    pub(super) fn new(health: Health, names: Vec<&'static str>) -> Self {
        Self { health, names }
    }

    /// All services of a program are as well as the program.
    async fn status(&self, service: &str) -> Option<ServingStatus> {
        if !service.is_empty() && !self.names.contains(&service) {
            return None;
        }
        let serves = self.health.not_ready().is_empty() && self.health.report().await.status != HealthStatus::Down;
        Some(if serves { ServingStatus::Serving } else { ServingStatus::NotServing })
    }
}

#[tonic::async_trait]
impl Answer for HealthService {
    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        let status = self.status(&request.get_ref().service).await;
        status.map(answer).map(Response::new).ok_or_else(|| Status::not_found("there is no such service"))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    /// The present status, and each other one from then on.
    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let service = request.into_inner().service;
        let changes = stream::unfold((self.clone(), service, None), |(health, service, last)| async move {
            loop {
                // By the protocol one who watches is told of an unknown service, instead of refused.
                let status = health.status(&service).await.unwrap_or(ServingStatus::ServiceUnknown);
                if Some(status) != last {
                    return Some((Ok(answer(status)), (health, service, Some(status))));
                }
                tokio::time::sleep(LOOKED_AT).await;
            }
        });
        Ok(Response::new(Box::pin(changes)))
    }
}

fn answer(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}
