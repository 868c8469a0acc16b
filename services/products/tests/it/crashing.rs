//! The program itself, killed while orders reserve and buy.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::join_all;
use proto::v1::{CommitStockRequest, ReleaseStockRequest};
use testkit::{Program, eventually, eventually_within};
use uuid::Uuid;

use crate::shelves::{HEALED, Watcher, are_at_rest, check, check_rest, reservations, stored, wanted};
use crate::support::{World, calls, client, user, uuid};

#[tokio::test]
async fn killed_under_load_it_loses_and_holds_nothing() {
    let world = World::new().await;
    let (port, grpc_port) = (testkit::free_port(), testkit::free_port());
    let mut program = Program::cargo_bin("products");
    for (name, value) in world.settings() {
        let value = match name {
            "listen" => format!("127.0.0.1:{port}"),
            "grpc-listen" => format!("127.0.0.1:{grpc_port}"),
            _ => value,
        };
        program = program.env(name.replace('-', "_").to_uppercase(), value);
    }
    let program = program.start().await;
    let ready = format!("http://127.0.0.1:{port}/ready");
    program.wait_ready(&ready).await;

    let (user, teapots) = (user(), [40, 40]);
    let owner = world.owners.of(&user);
    let mut products = Vec::new();
    for stock in teapots {
        let body = crate::support::teapot(&owner, stock);
        let url = format!("http://127.0.0.1:{port}/v1/products");
        let created = client().post(url).bearer_auth(&user.token).json(&body).send().await.expect("it answers");
        products.push(uuid(&created.json().await.expect("a product")));
    }
    let totals: std::collections::BTreeMap<_, _> = products.iter().copied().zip(teapots).collect();
    let watcher = Watcher::start(&world.mongo, totals.clone());

    let address = SocketAddr::from(([127, 0, 0, 1], grpc_port));
    for _ in 0..3 {
        let calls = calls(&[address]);
        let orders = (0..40).map(|order| {
            let (calls, items) = (calls.clone(), [(products[0], 1), (products[1], 1)]);
            async move {
                let id = Uuid::now_v7();
                // Nobody asks again; the program dies over most of them.
                let wanted = wanted(id, &items, Duration::from_secs(2));
                let _ = calls.clone().reserve_stock(wanted).await;
                let order_id = id.to_string();
                if order % 2 == 0 {
                    let _ = calls.clone().commit_stock(CommitStockRequest { order_id }).await;
                } else {
                    let _ = calls.clone().release_stock(ReleaseStockRequest { order_id }).await;
                }
            }
        });
        let killing = async {
            eventually("some are under way", async || (!are_at_rest(&reservations(&world.mongo).await)).then_some(()))
                .await;
            program.kill9().await;
        };
        tokio::join!(join_all(orders), killing);
        program.start_again().await;
        program.wait_ready(&ready).await;
    }

    let ended = async || {
        let all = reservations(&world.mongo).await;
        all.iter().all(|reservation| reservation.due.is_none()).then_some(all)
    };
    let all = eventually_within(HEALED, "every reservation has ended", ended).await;
    assert!(!all.is_empty());
    let products = stored(&world.mongo).await;
    check(&products, &totals);
    check_rest(&products, &all);
    assert!(products.iter().all(|product| product.stock.holds.is_empty()));
    watcher.stop().await;
    assert_eq!(program.sigterm().await, 0);
}
