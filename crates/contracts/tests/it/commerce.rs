//! Pins the JSON form of what owners, products, orders and payments say.

use contracts::orders::{
    ItemProduct, OrderCancelled, OrderConfirmed, OrderCreated, OrderEvent, OrderItem, OrderState, OrderStatus,
};
use contracts::owners::{OwnerCreated, OwnerDeleted, OwnerEvent, OwnerState, OwnerUpdated};
use contracts::payments::{
    PaymentCommand, PaymentCompleted, PaymentEvent, PaymentFailed, PaymentRefunded, PaymentState, PaymentStatus,
    ProcessPayment, RefundPayment,
};
use contracts::products::{
    ProductCreated, ProductDeleted, ProductEvent, ProductImage, ProductOwner, ProductState, ProductUpdated,
};
use contracts::{Currency, Money};
use insta::assert_json_snapshot;
use messaging::{DecodeError, Incoming, Message, Outgoing};
use time::OffsetDateTime;
use utoipa::PartialSchema;
use uuid::Uuid;

const AT: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

fn eur(amount: i64) -> Money {
    Money::new(amount, "EUR".parse().expect("a currency"))
}

fn grace() -> OwnerState {
    OwnerState {
        owner_id: Uuid::from_u128(1),
        first_name: "Grace".to_owned(),
        last_name: "Hopper".to_owned(),
        email: "grace@example.com".to_owned(),
        address: "1 Harbour Street".to_owned(),
        created_by: Uuid::from_u128(2),
        version: 3,
        created_at: AT,
        updated_at: AT,
    }
}

fn shown_owner() -> ProductOwner {
    ProductOwner {
        owner_id: grace().owner_id,
        name: grace().name(),
        address: grace().address,
        version: grace().version,
    }
}

fn teapot() -> ProductState {
    ProductState {
        product_id: Uuid::from_u128(4),
        name: "Teapot".to_owned(),
        description: "Holds a litre.".to_owned(),
        price: eur(1999),
        owner: shown_owner(),
        stock: 50,
        reserved: 2,
        sold: 7,
        image: None,
        version: 9,
        created_at: AT,
        updated_at: AT,
    }
}

fn with_image() -> ProductState {
    let image = ProductImage { content_type: "image/webp".to_owned(), size: 48_213, etag: "9f86d081".to_owned() };
    ProductState { image: Some(image), ..teapot() }
}

fn order(status: OrderStatus, reason: Option<&str>) -> OrderState {
    let ProductState { product_id, name, description, price, owner, version, .. } = teapot();
    let product = ItemProduct { name, description, owner, version };
    OrderState {
        order_id: Uuid::from_u128(5),
        user_id: Uuid::from_u128(2),
        user_name: "Ada".to_owned(),
        items: vec![OrderItem { product_id, quantity: 2, price, product }],
        total: eur(3998),
        status,
        reason: reason.map(str::to_owned),
        version: 2,
        created_at: AT,
        updated_at: AT,
    }
}

fn payment(status: PaymentStatus, reason: Option<&str>) -> PaymentState {
    PaymentState {
        order_id: Uuid::from_u128(5),
        user_id: Uuid::from_u128(2),
        amount: eur(3998),
        status,
        reason: reason.map(str::to_owned),
        version: 1,
        created_at: AT,
        updated_at: AT,
    }
}

fn process() -> PaymentCommand {
    PaymentCommand::Process(ProcessPayment {
        order_id: Uuid::from_u128(5),
        user_id: Uuid::from_u128(2),
        amount: eur(3998),
    })
}

fn refund() -> PaymentCommand {
    PaymentCommand::Refund(RefundPayment {
        order_id: Uuid::from_u128(5),
        user_id: Uuid::from_u128(2),
        amount: eur(3998),
        reason: "payment timed out".to_owned(),
    })
}

#[test]
fn messages_of_the_shop_keep_their_json_form() {
    assert_json_snapshot!("owner_created", OwnerCreated(grace()));
    assert_json_snapshot!("owner_updated", OwnerUpdated(grace()));
    assert_json_snapshot!("owner_deleted", OwnerDeleted { owner_id: grace().owner_id, version: 4, deleted_at: AT });
    assert_json_snapshot!("product_created", ProductCreated(teapot()));
    assert_json_snapshot!("product_updated", ProductUpdated(teapot()));
    assert_json_snapshot!("product_updated_with_image", ProductUpdated(with_image()));
    assert_json_snapshot!(
        "product_deleted",
        ProductDeleted { product_id: teapot().product_id, version: 10, deleted_at: AT }
    );
    assert_json_snapshot!("order_created", OrderCreated(order(OrderStatus::Pending, None)));
    assert_json_snapshot!("order_confirmed", OrderConfirmed(order(OrderStatus::Confirmed, None)));
    assert_json_snapshot!("order_cancelled", OrderCancelled(order(OrderStatus::Cancelled, Some("payment timed out"))));
    assert_json_snapshot!("payment_completed", PaymentCompleted(payment(PaymentStatus::Completed, None)));
    assert_json_snapshot!("payment_failed", PaymentFailed(payment(PaymentStatus::Failed, Some("card declined"))));
    assert_json_snapshot!(
        "payment_refunded",
        PaymentRefunded(payment(PaymentStatus::Refunded, Some("payment timed out")))
    );
    assert_json_snapshot!("process_payment", process());
    assert_json_snapshot!("refund_payment", refund());
}

#[test]
fn the_schema_of_money_says_what_is_understood() {
    assert_json_snapshot!("money_schema", Money::schema());
    assert_json_snapshot!("currency_schema", Currency::schema());
}

/// Decodes what was published, as its queue's consumer does.
fn receive<I: Incoming>(outgoing: &Outgoing) -> I {
    I::decode(Some(&outgoing.kind), &outgoing.body).expect("what was published can be understood")
}

fn publish<M: Message>(message: &M) -> Outgoing {
    Outgoing::new(message)
}

#[test]
fn each_event_of_the_shop_is_told_by_its_type() {
    let created = OwnerCreated(grace());
    assert_eq!(receive::<OwnerEvent>(&publish(&created)), OwnerEvent::Created(created));
    let updated = OwnerUpdated(grace());
    assert_eq!(receive::<OwnerEvent>(&publish(&updated)), OwnerEvent::Updated(updated));
    let deleted = OwnerDeleted { owner_id: grace().owner_id, version: 4, deleted_at: AT };
    assert_eq!(receive::<OwnerEvent>(&publish(&deleted)), OwnerEvent::Deleted(deleted));

    let created = ProductCreated(teapot());
    assert_eq!(receive::<ProductEvent>(&publish(&created)), ProductEvent::Created(created));
    let updated = ProductUpdated(with_image());
    assert_eq!(receive::<ProductEvent>(&publish(&updated)), ProductEvent::Updated(updated));
    let deleted = ProductDeleted { product_id: teapot().product_id, version: 10, deleted_at: AT };
    assert_eq!(receive::<ProductEvent>(&publish(&deleted)), ProductEvent::Deleted(deleted));

    let created = OrderCreated(order(OrderStatus::Pending, None));
    assert_eq!(receive::<OrderEvent>(&publish(&created)), OrderEvent::Created(created));
    let confirmed = OrderConfirmed(order(OrderStatus::Confirmed, None));
    assert_eq!(receive::<OrderEvent>(&publish(&confirmed)), OrderEvent::Confirmed(confirmed));
    let cancelled = OrderCancelled(order(OrderStatus::Cancelled, Some("no")));
    assert_eq!(receive::<OrderEvent>(&publish(&cancelled)), OrderEvent::Cancelled(cancelled));

    let completed = PaymentCompleted(payment(PaymentStatus::Completed, None));
    assert_eq!(receive::<PaymentEvent>(&publish(&completed)), PaymentEvent::Completed(completed));
    let failed = PaymentFailed(payment(PaymentStatus::Failed, Some("no")));
    assert_eq!(receive::<PaymentEvent>(&publish(&failed)), PaymentEvent::Failed(failed));
    let refunded = PaymentRefunded(payment(PaymentStatus::Refunded, Some("no")));
    assert_eq!(receive::<PaymentEvent>(&publish(&refunded)), PaymentEvent::Refunded(refunded));
}

#[test]
fn an_event_without_a_known_type_is_not_guessed_at() {
    fn refused<I: Incoming>() {
        assert!(matches!(I::decode(Some("no.such"), b"{}"), Err(DecodeError::UnknownKind(_))));
        assert!(matches!(I::decode(None, b"{}"), Err(DecodeError::NoKind)));
    }
    refused::<OwnerEvent>();
    refused::<ProductEvent>();
    refused::<OrderEvent>();
    refused::<PaymentEvent>();
    refused::<PaymentCommand>();
}

#[test]
fn payment_commands_share_a_routing_key_and_differ_in_type() {
    let (process, refund) = (process(), refund());
    for (command, kind) in [(&process, "process.payment"), (&refund, "refund.payment")] {
        let outgoing = command.outgoing();
        assert_eq!((outgoing.exchange.as_str(), outgoing.routing_key.as_str()), ("commands", "payment-service"));
        assert_eq!(outgoing.kind, kind);
        assert_eq!(&receive::<PaymentCommand>(&outgoing), command);
    }
    // A refund has every field of a charge: if the type were guessed from the body, it would be one.
    let by_hand = PaymentCommand::decode(Some("payment-service"), &refund.outgoing().body);
    assert!(matches!(by_hand, Err(DecodeError::NoKind)));
}
