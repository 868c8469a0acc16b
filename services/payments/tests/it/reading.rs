//! Who sees which payments.

use contracts::payments::PaymentCommand;
use payments::Charge;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Ask, User, World, admin, eur, process, user};

/// Payments of a user, decided.
async fn paid(world: &World, user: &User, count: usize) -> Vec<Uuid> {
    let orders: Vec<_> = (0..count).map(|_| Uuid::now_v7()).collect();
    let commands: Vec<PaymentCommand> =
        orders.iter().map(|&order_id| process(&Charge { order_id, user_id: user.id, amount: eur(1999) })).collect();
    world.send(&commands).await;
    for &order in &orders {
        world.decided(order, "completed").await;
    }
    orders
}

fn ids(page: &Value) -> Vec<Uuid> {
    let payments = page["payments"].as_array().expect("a page has payments");
    payments
        .iter()
        .map(|payment| payment["order_id"].as_str().and_then(|id| id.parse().ok()).expect("it names its order"))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn users_see_their_own_payments_and_admins_all() {
    let world = World::new().await;
    let payments = world.payments().await;
    let (ada, eve, admin) = (user(), user(), admin());
    let adas = paid(&world, &ada, 3).await;
    let eves = paid(&world, &eve, 1).await;

    let one = payments.get(&format!("/v1/payments/{}", adas[0])).by(&ada).expect(200).await;
    assert_eq!(one["user_id"], ada.id.to_string());
    assert_eq!((&one["status"], &one["version"]), (&json!("completed"), &json!(1)));
    assert_eq!(one["amount"], json!({ "amount": 1999, "currency": "EUR" }));
    assert!(one.get("reason").is_none() && one.get("outbox").is_none(), "{one}");

    assert_eq!(ids(&payments.get("/v1/payments").by(&ada).expect(200).await), adas);
    assert_eq!(ids(&payments.get("/v1/payments").by(&eve).expect(200).await), eves);
    assert_eq!(ids(&payments.get("/v1/payments").by(&admin).expect(200).await), [adas.clone(), eves.clone()].concat());
    let page = payments.get("/v1/payments?limit=2").by(&ada).expect(200).await;
    assert_eq!((ids(&page), &page["next"]), (adas[..2].to_vec(), &json!(adas[1])));
    let rest = format!("/v1/payments?limit=2&after={}", adas[1]);
    let page = payments.get(&rest).by(&ada).expect(200).await;
    assert_eq!((ids(&page), page.get("next")), (adas[2..].to_vec(), None));

    let of_order = |order: Uuid| payments.get(&format!("/v1/payments?order_id={order}"));
    assert_eq!(ids(&of_order(adas[1]).by(&ada).expect(200).await), [adas[1]]);
    assert_eq!(ids(&of_order(adas[1]).by(&admin).expect(200).await), [adas[1]]);
    assert!(ids(&of_order(adas[1]).by(&eve).expect(200).await).is_empty());
    let after = format!("/v1/payments?order_id={0}&after={0}", adas[1]);
    assert!(ids(&payments.get(&after).by(&ada).expect(200).await).is_empty());

    payments.get(&format!("/v1/payments/{}", adas[0])).by(&eve).expect(403).await;
    payments.get(&format!("/v1/payments/{}", adas[0])).by(&admin).expect(200).await;
    payments.get(&format!("/v1/payments/{}", Uuid::now_v7())).by(&ada).expect(404).await;
    payments.get("/v1/payments?limit=0").by(&ada).expect(422).await;
    for path in ["/v1/payments", &format!("/v1/payments/{}", adas[0])] {
        payments.get(path).expect(401).await;
        payments.get(path).bearer_auth("x.y.z").expect(401).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_has_every_payment_told_again() {
    let world = World::new().await;
    let payments = world.payments().await;
    let (user, admin) = (user(), admin());
    let orders = paid(&world, &user, 3).await;
    world.events(3).await;

    payments.post("/admin/replay").expect(401).await;
    payments.post("/admin/replay").by(&user).expect(403).await;
    let report = payments.post("/admin/replay").by(&admin).expect(200).await;
    assert_eq!(report, json!({ "documents": 3, "confirmed": 3, "failed": 0, "unreadable": 0 }));
    let mut wanted: Vec<_> = orders.iter().map(|order| ("payment.completed".to_owned(), *order, 1)).collect();
    wanted.extend(wanted.clone());
    wanted.sort();
    assert_eq!(world.events(6).await, wanted);
}
