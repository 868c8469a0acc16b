//! Addresses that callers must not be sent to (fault 42).

use crate::support::{Ask, World, at};

#[tokio::test]
async fn an_address_outside_of_the_allowed_networks_is_refused() {
    let world = World::new().await;
    let registry = world.registry().await;
    for outside in [
        "169.254.169.254",
        "8.8.8.8",
        "0.0.0.0",
        "::",
        "fe80::1",
        "2001:db8::1",
        "::ffff:169.254.169.254",
        "::ffff:8.8.8.8",
    ] {
        registry.post("/register", &at("producer", "p-1", outside)).answer().await.expect(403);
    }
    // As do resolvers, this takes a number for an address.
    for odd in ["2852039166", "0xa9fea9fe"] {
        registry.post("/register", &at("producer", "p-1", odd)).answer().await.expect(403);
    }
    assert!(registry.discover("producer").await.is_empty());
}

#[tokio::test]
async fn a_name_is_looked_up_once_and_its_address_is_what_callers_get() {
    let world = World::new().await;
    let registry = world.registry().await;
    let stored = registry.post("/register", &at("producer", "p-1", "localhost")).answer().await.expect(200).json();
    assert!(["127.0.0.1", "::1"].contains(&stored["host"].as_str().unwrap()), "{stored}");
    let stored = registry.post("/register", &at("producer", "p-2", "::ffff:127.0.0.1")).answer().await.expect(200);
    assert_eq!(stored.json()["host"], "127.0.0.1");
}

#[tokio::test]
async fn a_name_with_an_address_outside_is_refused() {
    let world = World::new().await;
    let registry = world.registry_with(&["--registry-allowed-networks=10.0.0.0/8,fd00::/8"]).await;
    for outside in ["localhost", "127.0.0.1", "::1", "192.168.1.1"] {
        registry.post("/register", &at("producer", "p-1", outside)).answer().await.expect(403);
    }
    registry.post("/register", &at("producer", "p-1", "10.1.2.3")).answer().await.expect(200);
    registry.post("/register", &at("producer", "p-2", "fd00::1")).answer().await.expect(200);
}

#[tokio::test]
async fn no_setting_allows_link_local_addresses() {
    let world = World::new().await;
    let registry = world.registry_with(&["--registry-allowed-networks=0.0.0.0/0,::/0"]).await;
    for never in ["169.254.169.254", "::ffff:169.254.169.254", "fe80::1", "0.0.0.0"] {
        registry.post("/register", &at("producer", "p-1", never)).answer().await.expect(403);
    }
    registry.post("/register", &at("producer", "p-1", "192.0.2.1")).answer().await.expect(200);
}
