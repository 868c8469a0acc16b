//! What another program sent may lack anything.

use contracts::orders::{OrderState, OrderStatus};
use contracts::owners::OwnerState;
use contracts::products::ProductState;
use proto::{Malformed, v1};

use crate::shop::{order, owner, product};

fn problem<T: std::fmt::Debug>(result: Result<T, Malformed>) -> String {
    result.expect_err("it is malformed").to_string()
}

#[test]
fn what_is_absent_or_wrong_is_named_and_never_replaced_by_a_default() {
    let cases = [
        (problem(OwnerState::try_from(v1::Owner::default())), "`owner_id` is not a UUID"),
        (problem(OwnerState::try_from(v1::Owner { created_at: None, ..owner().into() })), "`created_at` is absent"),
        (problem(ProductState::try_from(v1::Product { price: None, ..product().into() })), "`price` is absent"),
        (problem(ProductState::try_from(v1::Product { owner: None, ..product().into() })), "`owner` is absent"),
        (problem(OrderState::try_from(v1::Order { total: None, ..order().into() })), "`total` is absent"),
        (problem(OrderState::try_from(v1::Order { status: 0, ..order().into() })), "`status` is unknown"),
        // A status that was added later.
        (problem(OrderState::try_from(v1::Order { status: 99, ..order().into() })), "`status` is unknown"),
    ];
    for (said, expected) in cases {
        assert_eq!(said, expected);
    }
}

#[test]
fn every_status_of_an_order_survives_the_way() {
    for status in [OrderStatus::Pending, OrderStatus::Confirmed, OrderStatus::Cancelled] {
        let sent = v1::Order::from(OrderState { status, ..order() });
        assert_eq!(OrderState::try_from(sent).map(|order| order.status), Ok(status));
    }
}
