//! A program's place in the registry.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use client::Registration;
use testkit::eventually;
use tokio_util::sync::CancellationToken;

use crate::registry::Registry;
use crate::support::config;

const ADDRESS: ([u8; 4], u16) = ([127, 0, 0, 1], 8081);

fn register(arguments: &[&str], address: ([u8; 4], u16)) -> Registration {
    register_when(arguments, address, || true)
}

fn register_when(
    arguments: &[&str],
    address: ([u8; 4], u16),
    ready: impl Fn() -> bool + Send + Sync + 'static,
) -> Registration {
    let args = config(arguments).registry;
    Registration::start(&args, "shop", "1.2.3", SocketAddr::from(address), ready).expect("the settings are right")
}

async fn until_asked(registry: &Registry, what: &str, times: usize) {
    let count = || registry.asked().iter().filter(|asked| *asked == what).count();
    eventually(what, || async { (count() >= times).then_some(()) }).await;
}

#[tokio::test]
async fn a_program_registers_once_it_is_ready_and_shows_that_it_is_there() {
    let registry = Registry::start().await;
    let ready = Arc::new(AtomicBool::new(false));
    let asked = Arc::new(AtomicBool::new(false));
    let (is_ready, was_asked) = (ready.clone(), asked.clone());
    let _registration = register_when(&["--registry-url", &registry.url()], ADDRESS, move || {
        was_asked.store(true, Ordering::SeqCst);
        is_ready.load(Ordering::SeqCst)
    });
    eventually("it was asked whether it is ready", || async { asked.load(Ordering::SeqCst).then_some(()) }).await;
    assert!(registry.asked().is_empty());

    ready.store(true, Ordering::SeqCst);
    until_asked(&registry, "heartbeat", 3).await;
    assert_eq!(registry.asked().iter().filter(|asked| *asked == "register").count(), 1);
    let instances = registry.instances("shop");
    let instance = instances.first().expect("it is registered");
    assert!(instance.id.starts_with("shop-"), "{instance:?}");
    assert_eq!(
        (instance.host.as_str(), instance.port, instance.metadata["version"].as_str()),
        ("127.0.0.1", 8081, "1.2.3")
    );
}

#[tokio::test]
async fn a_registry_that_has_forgotten_it_is_told_again() {
    let registry = Registry::start().await;
    let _registration = register(&["--registry-url", &registry.url()], ADDRESS);
    until_asked(&registry, "heartbeat", 1).await;
    let before = registry.instances("shop");
    registry.forget();
    until_asked(&registry, "register", 2).await;
    assert_eq!(registry.instances("shop"), before);
}

#[tokio::test]
async fn a_registry_that_is_away_is_told_when_it_is_back() {
    let registry = Registry::start().await;
    registry.kill().await;
    let _registration = register(&["--registry-url", &registry.url()], ADDRESS);
    registry.revive().await;
    until_asked(&registry, "heartbeat", 1).await;
    registry.kill().await;
    registry.forget();
    registry.revive().await;
    until_asked(&registry, "register", 2).await;
}

#[tokio::test]
async fn it_leaves_the_registry_before_the_program_stops() {
    let registry = Registry::start().await;
    let registration = register(&["--registry-url", &registry.url()], ADDRESS);
    until_asked(&registry, "heartbeat", 1).await;
    let stop = CancellationToken::new();
    let left = registration.leave_before(stop.clone());
    until_asked(&registry, "heartbeat", 3).await;
    assert!(!left.is_cancelled());

    stop.cancel();
    left.cancelled().await;
    assert!(registry.instances("shop").is_empty());
    assert_eq!(registry.asked().last().map(String::as_str), Some("deregister"));
}

#[tokio::test]
async fn stopping_waits_neither_for_a_registry_that_is_away_nor_without_one() {
    let registry = Registry::start().await;
    registry.kill().await;
    for (arguments, limit) in [(vec!["--registry-url", &registry.url()], 3), (vec![], 1)] {
        let registration = register(&arguments, ADDRESS);
        let stop = CancellationToken::new();
        let left = registration.leave_before(stop.clone());
        let began = Instant::now();
        stop.cancel();
        left.cancelled().await;
        assert!(began.elapsed() < Duration::from_secs(limit), "{:?} with {arguments:?}", began.elapsed());
    }
}

#[tokio::test]
async fn others_are_told_an_address_that_leads_to_it() {
    let registry = Registry::start().await;
    for (setting, host) in [(&[][..], "127.0.0.1"), (&["--service-host", "shop-1.internal"][..], "shop-1.internal")] {
        let url = registry.url();
        let _registration = register(&[&["--registry-url", &url], setting].concat(), ([0, 0, 0, 0], 8081));
        let registered = || async { registry.instances("shop").into_iter().find(|instance| instance.host == host) };
        eventually("it is registered", registered).await;
    }
}
