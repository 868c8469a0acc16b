//! What the broker does not take stays in its document and holds up nobody.

use std::time::Duration;

use messaging::Outgoing;
use messaging::documents::{Entry, RelaySettings};
use metrics_exporter_prometheus::PrometheusBuilder;
use testkit::eventually;

use super::{Rig, Shop, ids, shops};
use crate::support::{EXCHANGE, QUEUE, job, when};

fn impatient() -> RelaySettings {
    RelaySettings {
        sweep_every: Duration::from_millis(100),
        retry_first: Duration::from_millis(100),
        batch: 10,
        batches_in_flight: 1,
        ..RelaySettings::default()
    }
}

fn shop_with(message: Outgoing) -> Shop {
    Shop { outbox: vec![Entry::new(message)], ..Shop::new("a shop") }
}

fn unroutable() -> Shop {
    shop_with(Outgoing { routing_key: "later".to_owned(), ..job("ok") })
}

#[tokio::test]
async fn unroutable_entries_hold_up_nobody_and_are_sent_once_their_queue_is_bound() {
    let rig = Rig::new().await;
    let relay = rig.start(impatient()).await;
    // Older than the others, and several pages of them.
    let stuck: Vec<Shop> = (0..35).map(|_| unroutable()).collect();
    rig.store(&stuck).await;
    let sound = shops(50);
    let sent = rig.store(&sound).await;
    rig.received_all(&sent).await;
    rig.received_nothing_but(&sent);
    eventually("an entry was tried again", || async {
        let stored = rig.document(&stuck[0]).await;
        let entry = stored.get_array("outbox").unwrap()[0].as_document().unwrap().clone();
        when(entry.get_i32("tries").unwrap() >= 3 && entry.get_str("failed").is_ok_and(|why| why == "unroutable"))
    })
    .await;

    rig.rabbit.bind(QUEUE, EXCHANGE, "later").await;
    let all = &sent | &ids(&stuck);
    rig.received_all(&all).await;
    rig.drained().await;
    rig.received_nothing_but(&all);
    relay.stop().await;
}

#[tokio::test]
async fn an_entry_that_the_broker_refuses_harms_none_of_its_neighbours() {
    let rig = Rig::new().await;
    let relay = rig.start(impatient()).await;
    // RabbitMQ wants a list of routing keys in this header.
    let refused = shop_with(job("ok").with_header("CC", "not a list"));
    let mut all = shops(20);
    all.insert(10, refused.clone());
    rig.store(&all).await;
    all.remove(10);
    rig.received_all(&ids(&all)).await;
    eventually("the entry is marked", || async {
        let stored = rig.document(&refused).await;
        let entry = stored.get_array("outbox").unwrap()[0].as_document().unwrap().clone();
        when(entry.get_str("failed").is_ok_and(|why| why == "refused") && entry.get_i32("tries").unwrap() == 1)
    })
    .await;
    relay.stop().await;
}

#[tokio::test]
async fn entries_of_one_document_are_sent_each_for_itself() {
    let rig = Rig::new().await;
    let relay = rig.start(impatient()).await;
    let mut shop = unroutable();
    shop.outbox.extend([Entry::new(job("ok")), Entry::new(job("ok"))]);
    rig.store(std::slice::from_ref(&shop)).await;
    rig.received_all(&shop.ids()[1..].iter().copied().collect()).await;
    eventually("only the first is left", || async {
        let stored = rig.document(&shop).await;
        let left = stored.get_array("outbox").unwrap();
        when(left.len() == 1 && left[0].as_document().unwrap().get_str("id").unwrap() == shop.ids()[0].to_string())
    })
    .await;
    relay.stop().await;
}

/// The test and all that it spawns run in one thread, and so have the recorder to themselves.
#[tokio::test]
async fn what_is_stuck_shows_in_the_metrics_until_it_is_sent() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let metrics = recorder.handle();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let rig = Rig::new().await;
    let relay = rig.start(impatient()).await;
    rig.store(&[unroutable(), unroutable()]).await;
    let shows = |line: &'static str| {
        let metrics = metrics.clone();
        move || {
            let rendered = metrics.render();
            async move { when(rendered.lines().any(|shown| shown == line)) }
        }
    };
    eventually("both count as stuck", shows(r#"document_outbox_stuck{collection="shops",reason="unroutable"} 2"#))
        .await;
    eventually("both count as waiting", shows(r#"document_outbox_backlog{collection="shops"} 2"#)).await;
    rig.rabbit.bind(QUEUE, EXCHANGE, "later").await;
    rig.drained().await;
    eventually("none is stuck", shows(r#"document_outbox_stuck{collection="shops",reason="unroutable"} 0"#)).await;
    eventually("both were sent", shows(r#"document_outbox_published_total{collection="shops"} 2"#)).await;
    relay.stop().await;
}
