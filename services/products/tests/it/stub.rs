//! Owners that the test makes up.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use contracts::owners::OwnerState;
use proto::v1::owner_service_server::{OwnerService, OwnerServiceServer};
use proto::v1::{GetOwnerRequest, Owner};
use service::Health;
use service::grpc::GrpcServer;
use service::http::HttpLimits;
use time::OffsetDateTime;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::support::User;

/// Owners as the test says they are.
#[derive(Clone, Default)]
pub(crate) struct StubOwners(Arc<Mutex<HashMap<Uuid, OwnerState>>>);

impl StubOwners {
    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, OwnerState>> {
        self.0.lock().expect("nothing panics while it holds this lock")
    }

    /// Serves them by gRPC until the stop, and tells where.
    pub(crate) async fn serve(&self, stop: CancellationToken) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
        let address = listener.local_addr().expect("it listens");
        let server = GrpcServer::new(Health::new("owners", "0"), proto::FILE_DESCRIPTOR_SET);
        let router = server.service(OwnerServiceServer::new(self.clone())).router().expect("the descriptors are whole");
        tokio::spawn(service::grpc::serve(listener, router, stop, HttpLimits::default()));
        address
    }

    /// A new owner of this user.
    pub(crate) fn of(&self, user: &User) -> OwnerState {
        let owner = OwnerState {
            owner_id: Uuid::now_v7(),
            first_name: "Grace".to_owned(),
            last_name: "Hopper".to_owned(),
            email: "grace@example.com".to_owned(),
            address: "1 Harbour Street".to_owned(),
            created_by: user.id,
            version: 1,
            created_at: OffsetDateTime::UNIX_EPOCH,
            updated_at: OffsetDateTime::UNIX_EPOCH,
        };
        self.lock().insert(owner.owner_id, owner.clone());
        owner
    }
}

#[tonic::async_trait]
impl OwnerService for StubOwners {
    async fn get_owner(&self, request: Request<GetOwnerRequest>) -> Result<Response<Owner>, Status> {
        let id = proto::uuid("owner_id", &request.get_ref().owner_id)?;
        let owner = self.lock().get(&id).cloned();
        owner.map(|owner| Response::new(owner.into())).ok_or_else(|| Status::not_found("there is no such owner"))
    }
}
