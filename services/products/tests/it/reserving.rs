//! Stock is reserved, sold and given back.

use std::time::Duration;

use proto::v1::OutOfStock;
use proto::v1::reserve_stock_response::Outcome;
use testkit::eventually;
use tonic::Code;
use uuid::Uuid;

use crate::shelves::{HOLD, Order, is_reserved, reservations, wanted};
use crate::support::{Ask, World, id, user, uuid};

#[tokio::test]
async fn stock_is_reserved_and_then_sold_or_given_back() {
    let world = World::new().await;
    let products = world.products().await;
    let user = user();
    let teapot = products.created(&user, &world.owners.of(&user), 5).await;
    let (calls, [buyer, quitter]) = (products.calls(), [Uuid::now_v7(), Uuid::now_v7()]);

    assert!(is_reserved(&calls.reserve(buyer, &[(uuid(&teapot), 2)]).await.unwrap()));
    assert!(is_reserved(&calls.reserve(quitter, &[(uuid(&teapot), 3)]).await.unwrap()));
    assert_eq!(products.stock(&teapot).await, (0, 5, 0));
    for _ in 0..2 {
        assert_eq!(calls.commit(buyer).await, Ok(()));
        assert_eq!(calls.release(quitter).await, Ok(()));
        assert_eq!(products.stock(&teapot).await, (3, 0, 2));
    }
    assert_eq!(calls.release(buyer).await, Err(Code::FailedPrecondition), "it is sold");
    assert_eq!(calls.commit(quitter).await, Err(Code::FailedPrecondition), "it was given back");
    assert!(is_reserved(&calls.reserve(buyer, &[(uuid(&teapot), 2)]).await.unwrap()), "it has been");
    assert_eq!(products.stock(&teapot).await, (3, 0, 2));
}

#[tokio::test]
async fn an_order_gets_all_its_items_or_none_and_is_told_what_is_missing() {
    let world = World::new().await;
    let products = world.products().await;
    let (user, calls) = (user(), products.calls());
    let owner = world.owners.of(&user);
    let (teapot, cup) = (products.created(&user, &owner, 5).await, products.created(&user, &owner, 1).await);
    let gone = products.created(&user, &owner, 1).await;
    products.delete(&gone).by(&user).answer().await.expect(204);

    let order = Uuid::now_v7();
    let short = Outcome::OutOfStock(OutOfStock { product_id: id(&cup).to_owned(), available: 1 });
    for _ in 0..2 {
        assert_eq!(calls.reserve(order, &[(uuid(&cup), 2), (uuid(&teapot), 2)]).await.unwrap(), short);
    }
    for missing in [uuid(&gone), Uuid::now_v7()] {
        let short = Outcome::OutOfStock(OutOfStock { product_id: missing.to_string(), available: 0 });
        assert_eq!(calls.reserve(Uuid::now_v7(), &[(uuid(&teapot), 1), (missing, 1)]).await.unwrap(), short);
    }
    assert_eq!((products.stock(&teapot).await, products.stock(&cup).await), ((5, 0, 0), (1, 0, 0)));
    // What was refused stays so, also when there is enough by now.
    products.change_stock(&cup, 5).by(&user).answer().await.expect(200);
    assert_eq!(calls.reserve(order, &[(uuid(&cup), 2), (uuid(&teapot), 2)]).await.unwrap(), short);
    assert_eq!(calls.commit(order).await, Err(Code::FailedPrecondition));
    assert_eq!(calls.release(order).await, Ok(()));
}

#[tokio::test]
async fn the_same_order_again_reserves_once_and_with_other_items_is_refused() {
    let world = World::new().await;
    let products = world.products().await;
    let (user, calls) = (user(), products.calls());
    let teapot = products.created(&user, &world.owners.of(&user), 5).await;
    let order = Uuid::now_v7();
    let items = [(uuid(&teapot), 2)];
    let first = calls.reserve(order, &items).await.unwrap();
    assert_eq!(calls.reserve_for(order, &items, HOLD * 2).await.unwrap(), first, "nothing is extended");
    assert_eq!(products.stock(&teapot).await, (3, 2, 0));
    for other in [&[(uuid(&teapot), 3)][..], &[(uuid(&teapot), 2), (Uuid::now_v7(), 1)]] {
        assert_eq!(calls.reserve(order, other).await.unwrap_err().code(), Code::FailedPrecondition);
    }
    assert_eq!(products.stock(&teapot).await, (3, 2, 0));
}

#[tokio::test]
async fn an_order_that_was_released_before_it_reserved_reserves_nothing() {
    let world = World::new().await;
    let products = world.products().await;
    let (user, calls) = (user(), products.calls());
    let teapot = products.created(&user, &world.owners.of(&user), 5).await;
    let order = Uuid::now_v7();
    assert_eq!(calls.commit(order).await, Err(Code::FailedPrecondition));
    assert_eq!(calls.release(order).await, Ok(()));
    let late = calls.reserve(order, &[(uuid(&teapot), 1)]).await.unwrap_err();
    assert_eq!(late.code(), Code::FailedPrecondition, "{late}");
    assert_eq!(products.stock(&teapot).await, (5, 0, 0));
}

#[tokio::test]
async fn stock_that_is_not_sold_in_time_is_free_again() {
    let world = World::new().await;
    let products = world.products().await;
    let (user, calls) = (user(), products.calls());
    let teapot = products.created(&user, &world.owners.of(&user), 5).await;
    let (late, in_time) = (Uuid::now_v7(), Uuid::now_v7());
    let short = Duration::from_millis(300);
    assert!(is_reserved(&calls.reserve_for(late, &[(uuid(&teapot), 2)], short).await.unwrap()));
    assert!(is_reserved(&calls.reserve(in_time, &[(uuid(&teapot), 1)]).await.unwrap()));
    eventually("it is given back", async || (products.stock(&teapot).await == (4, 1, 0)).then_some(())).await;
    assert_eq!(calls.commit(late).await, Err(Code::FailedPrecondition));
    assert_eq!(calls.release(late).await, Ok(()));
    let again = calls.reserve(late, &[(uuid(&teapot), 2)]).await.unwrap_err();
    assert_eq!(again.code(), Code::FailedPrecondition);
    assert_eq!(calls.commit(in_time).await, Ok(()));
    assert_eq!(products.stock(&teapot).await, (4, 0, 1));
    let reservations = reservations(&world.mongo).await;
    assert!(reservations.iter().all(|reservation| reservation.forgotten_at.is_some() && reservation.due.is_none()));
}

#[tokio::test]
async fn what_is_held_of_a_deleted_product_is_still_sold_or_given_back() {
    let world = World::new().await;
    let products = world.products().await;
    let (user, calls) = (user(), products.calls());
    let teapot = products.created(&user, &world.owners.of(&user), 5).await;
    let [buyer, quitter] = [Uuid::now_v7(), Uuid::now_v7()];
    for (order, count) in [(buyer, 1), (quitter, 2)] {
        assert!(is_reserved(&calls.reserve(order, &[(uuid(&teapot), count)]).await.unwrap()));
    }
    products.delete(&teapot).by(&user).answer().await.expect(204);
    assert_eq!((calls.commit(buyer).await, calls.release(quitter).await), (Ok(()), Ok(())));
    let left = crate::shelves::stored(&world.mongo).await.remove(0).stock;
    assert_eq!((left.available, left.reserved, left.sold), (4, 0, 1));
}

#[tokio::test]
async fn a_call_that_makes_no_sense_is_refused() {
    let world = World::new().await;
    let products = world.products().await;
    let (calls, [a, b]) = (products.calls(), [Uuid::now_v7(), Uuid::now_v7()]);
    let hundred_and_one: Vec<_> = (0..101).map(|_| (Uuid::now_v7(), 1)).collect();
    for items in [&[][..], &[(a, 0)], &[(a, 1), (b, 1), (a, 2)], &hundred_and_one] {
        assert_eq!(calls.reserve(Uuid::now_v7(), items).await.unwrap_err().code(), Code::InvalidArgument);
    }
    for hold in [Duration::ZERO, Duration::from_secs(24 * 3_600 + 1)] {
        let refused = calls.reserve_for(Uuid::now_v7(), &[(a, 1)], hold).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
    }
    let request = wanted(Uuid::now_v7(), &[(a, 1)], HOLD);
    for wrong in [
        proto::v1::ReserveStockRequest { hold_for: None, ..request.clone() },
        proto::v1::ReserveStockRequest { order_id: "7".to_owned(), ..request },
    ] {
        assert_eq!(calls.clone().reserve_stock(wrong).await.unwrap_err().code(), Code::InvalidArgument);
    }
    assert_eq!(reservations(&world.mongo).await, []);
}
