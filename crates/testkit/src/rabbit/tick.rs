//! How long the known length of a quorum queue may be out of date.

use std::time::Duration;

use serde_json::json;
use tokio::sync::OnceCell;
use tokio::time::sleep;

use super::TestRabbit;

/// Twice the 250 ms at which a broker made for tests ticks (`-rabbit quorum_tick_interval 250`).
const SHORT: Duration = Duration::from_millis(500);

/// More than the five seconds at which any other broker does.
const USUAL: Duration = Duration::from_secs(6);

const PROBE: &str = "testkit.tick";

/// How long to wait until a quorum queue has told its length of now; found out once per process.
pub(super) async fn tick(rabbit: &TestRabbit) -> Duration {
    static TICK: OnceCell<Duration> = OnceCell::const_new();
    *TICK.get_or_init(|| probe(rabbit)).await
}

/// Two changes in a row cannot both be seen in time by chance.
async fn probe(rabbit: &TestRabbit) -> Duration {
    rabbit.declare_queue(PROBE, json!({ "x-queue-type": "quorum" })).await;
    let mut tick = SHORT;
    for count in 1..=2 {
        rabbit.publish("", PROBE, json!({}), "tick").await;
        sleep(SHORT).await;
        let seen = rabbit.totals(PROBE).await.and_then(|queue| queue["messages"].as_u64());
        if seen != Some(count) {
            tick = USUAL;
            break;
        }
    }
    rabbit.delete_queue(PROBE).await;
    tick
}
