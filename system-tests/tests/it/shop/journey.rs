//! What the README walks through: from an owner to a confirmed order on the dashboard.

use system_tests::journeys;

use super::Shop;

#[tokio::test(flavor = "multi_thread")]
async fn what_an_owner_sells_is_ordered_and_confirmed_and_a_new_address_is_seen_in_the_order() {
    let shop = Shop::start(&[]).await;
    shop.is_open().await;
    let sale = journeys::an_order_is_confirmed_and_seen_on_the_dashboard(&shop.gateway()).await;
    sale.follows_the_owner().await;
    shop.stop().await;
}
