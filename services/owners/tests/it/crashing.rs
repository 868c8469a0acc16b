//! Killed between the write and its event.

use testkit::{Program, proxy};

use crate::support::{Ask, World, at, client, grace, user};

#[tokio::test]
async fn an_event_is_told_though_the_program_was_killed_before_it_could_tell() {
    let world = World::new().await;
    let broker = proxy(world.rabbit.url()).await;
    broker.cut().await;
    let (port, grpc_port) = (testkit::free_port(), testkit::free_port());
    let mut program = Program::cargo_bin("owners");
    for (name, value) in world.settings() {
        let value = match name {
            "listen" => format!("127.0.0.1:{port}"),
            "grpc-listen" => format!("127.0.0.1:{grpc_port}"),
            "amqp-url" => broker.url_for(world.rabbit.url()),
            _ => value,
        };
        program = program.env(name.replace('-', "_").to_uppercase(), value);
    }
    let program = program.start().await;
    let base = format!("http://127.0.0.1:{port}");
    program.wait_ready(&format!("{base}/ready")).await;

    let user = user();
    let post = client().post(format!("{base}/v1/owners")).json(&grace()).by(&user);
    let owner = post.answer().await.expect(201).json();
    let url = format!("{base}{}", crate::support::path(&owner));
    client().put(&url).json(&at("elsewhere")).by(&user).answer().await.expect(200);
    program.kill9().await;

    broker.restore().await;
    program.start_again().await;
    let mut versions: Vec<_> = world.events(2).await.into_iter().map(|(_, _, version)| version).collect();
    versions.sort_unstable();
    assert_eq!(versions, [1, 2]);
    assert_eq!(program.sigterm().await, 0);
}
