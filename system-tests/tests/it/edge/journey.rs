//! What the README walks through.

use system_tests::{Site, journeys};

use super::Edge;

#[tokio::test(flavor = "multi_thread")]
async fn a_user_gets_from_register_to_dashboard_and_out_through_the_gateway_alone() {
    // With the limit that holds when nothing is set.
    let edge = Edge::start(&[("RATE_LIMIT", "100")]).await;
    let gateway = Site::behind(edge.gateways[1].base());
    journeys::a_user_registers_looks_around_and_leaves(&gateway, &edge.world.site).await;
    edge.stop().await;
}
