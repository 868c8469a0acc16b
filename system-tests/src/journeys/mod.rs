//! Journeys: each is complete in itself, and uses names of its own, so that they can be taken on any site at any time.

mod identity;
mod older_routes;
mod records;
mod shop;
mod tasks;
mod texts;
mod users;

pub use identity::a_user_registers_looks_around_and_leaves;
pub use older_routes::the_older_routes_do_the_same;
pub use records::a_record_is_inserted_deleted_and_comes_back;
pub use shop::{Sale, an_order_is_confirmed_and_seen_on_the_dashboard, owner};
pub use tasks::{a_task_can_be_followed_to_its_end, told};
pub use texts::{a_health_check_is_acknowledged, a_text_is_stored_in_its_order};
pub use users::a_user_is_created_changed_and_deleted;

use uuid::Uuid;

use crate::Site;

/// Every journey that needs no gateway, one after another.
pub async fn all(site: &Site) {
    a_record_is_inserted_deleted_and_comes_back(site).await;
    a_user_is_created_changed_and_deleted(site).await;
    a_text_is_stored_in_its_order(site).await;
    a_health_check_is_acknowledged(site).await;
    a_task_can_be_followed_to_its_end(site).await;
    the_older_routes_do_the_same(site).await;
}

/// A name that nobody else has, on a site that others use too.
fn unique(prefix: &str) -> String {
    format!("{prefix}-{}", Uuid::now_v7().simple())
}
