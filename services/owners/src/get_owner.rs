//! The gRPC side: other services ask for an owner.

use proto::v1::owner_service_server::{OwnerService, OwnerServiceServer};
use proto::v1::{GetOwnerRequest, Owner};
use service::documents::Documents;
use tonic::{Request, Response, Status};

use crate::owner;

#[derive(Clone, Debug)]
pub(crate) struct Owners(Documents<owner::Owner>);

pub(crate) fn service(owners: Documents<owner::Owner>) -> OwnerServiceServer<Owners> {
    OwnerServiceServer::new(Owners(owners))
}

#[tonic::async_trait]
impl OwnerService for Owners {
    async fn get_owner(&self, request: Request<GetOwnerRequest>) -> Result<Response<Owner>, Status> {
        let owner_id = proto::uuid("owner_id", &request.get_ref().owner_id)?;
        let state = self.0.get(owner_id).await?.state();
        let state = state.ok_or_else(|| Status::not_found("the owner was deleted"))?;
        Ok(Response::new(state.into()))
    }
}
