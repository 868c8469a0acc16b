//! Asks the owners' service whose a new product is.

use client::grpc::GrpcServices;
use contracts::owners::OwnerState;
use proto::v1::GetOwnerRequest;
use proto::v1::owner_service_client::OwnerServiceClient;
use service::http::{FieldError, RequestIds};
use service::{ApiError, ApiResult};
use tonic::Code;
use uuid::Uuid;

use crate::product::Seller;

/// The owners' service. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Owners(GrpcServices);

impl Owners {
    pub(crate) fn new(services: GrpcServices) -> Self {
        Self(services)
    }

    /// An owner, as its products show it.
    ///
    /// # Errors
    /// 422 if there is none, or 503 if nobody can tell.
    pub(crate) async fn seller(&self, owner_id: Uuid, ids: &RequestIds) -> ApiResult<Seller> {
        let channel = self.0.channel("owners").idempotent().ids(ids.request_id(), ids.correlation_id());
        let request = GetOwnerRequest { owner_id: owner_id.to_string() };
        let answer = OwnerServiceClient::new(channel).get_owner(request).await;
        let owner = answer.map_err(|status| match status.code() {
            Code::NotFound => ApiError::unprocessable([FieldError::new("owner_id", "there is no such owner")]),
            _ => ApiError::from(status),
        })?;
        let owner = OwnerState::try_from(owner.into_inner()).map_err(anyhow::Error::new)?;
        let name = owner.name();
        let OwnerState { owner_id: id, address, version, created_by, .. } = owner;
        Ok(Seller { id, name, address, version, created_by })
    }
}
