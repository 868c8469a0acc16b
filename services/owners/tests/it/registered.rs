//! Found by others through the registry.

use clap::Parser;
use client::grpc::GrpcServices;
use proto::v1::GetOwnerRequest;
use proto::v1::owner_service_client::OwnerServiceClient;
use testkit::{Program, eventually};
use tokio_util::sync::CancellationToken;
use tonic::Code;

use crate::grpc::Settings;
use crate::support::{Ask, World, client, id, user};

#[tokio::test]
async fn others_find_where_it_answers_http_and_grpc_until_it_leaves() {
    let world = World::new().await;
    let base = format!("http://127.0.0.1:{}", testkit::free_port());
    let registry = Program::cargo_bin("registry")
        .env("LISTEN", base.trim_start_matches("http://"))
        .env("REDIS_URL", world.redis.url())
        .start()
        .await;
    registry.wait_ready(&format!("{base}/ready")).await;
    let owners = world.owners_with(&[&format!("--registry-url={base}")]).await;
    let (http, grpc) = (owners.running.address().port(), owners.grpc_address().port());
    let discovered = eventually("it is registered", || async {
        let discovered = client().get(format!("{base}/discover/owners")).answer().await.expect(200).json();
        discovered["instances"].get(0).cloned()
    })
    .await;
    assert_eq!((&discovered["port"], &discovered["host"]), (&http.into(), &"127.0.0.1".into()));
    assert_eq!(discovered["metadata"]["grpc_port"], grpc.to_string());

    let owner = owners.created(&user()).await;
    let Settings { registry, calls, grpc } = Settings::parse_from(["test", "--registry-url", &base]);
    let services = GrpcServices::start(&registry, &calls, &grpc, "test", &CancellationToken::new());
    let mut found = OwnerServiceClient::new(services.expect("the settings are right").channel("owners").idempotent());
    let request = || GetOwnerRequest { owner_id: id(&owner).to_owned() };
    found.get_owner(request()).await.expect("it is found");
    owners.stop().await;
    let nobody = found.get_owner(request()).await.unwrap_err();
    assert_eq!((nobody.code(), nobody.message()), (Code::Unavailable, "no instance of `owners` is running"));
}
