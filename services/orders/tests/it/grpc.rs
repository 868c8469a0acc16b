//! Orders over gRPC.

use clap::Parser;
use client::grpc::{GrpcCallArgs, GrpcServices};
use client::{CallArgs, RegistryArgs};
use contracts::orders::{OrderState, OrderStatus};
use proto::v1::order_service_client::OrderServiceClient;
use proto::v1::{GetOrderRequest, ListOrdersByUserRequest};
use tokio_util::sync::CancellationToken;
use tonic::Code;
use uuid::Uuid;

use crate::support::{Orders, World, id};

fn caller(orders: &Orders) -> OrderServiceClient<client::grpc::Channel> {
    #[derive(Parser)]
    struct Settings {
        #[command(flatten)]
        registry: RegistryArgs,
        #[command(flatten)]
        calls: CallArgs,
        #[command(flatten)]
        grpc: GrpcCallArgs,
    }
    let url = format!("--grpc-urls=orders=http://{}", orders.grpc_address());
    let Settings { registry, calls, grpc } = Settings::parse_from(["test", &url]);
    let services = GrpcServices::start(&registry, &calls, &grpc, "test", &CancellationToken::new());
    OrderServiceClient::new(services.expect("the settings can be used").channel("orders"))
}

#[tokio::test]
async fn other_services_ask_for_an_order_and_for_a_users_orders() {
    let world = World::new().await;
    let orders = world.orders().await;
    let buyer = world.buyer();
    let product = world.shop.product("Teapot", 50);
    let mut placed = Vec::new();
    for _ in 0..3 {
        placed.push(orders.placed(&buyer, &[(&product, 2)]).await);
    }
    let mut caller = caller(&orders);
    let request = GetOrderRequest { order_id: id(&placed[0]).to_string() };
    let order = OrderState::try_from(caller.get_order(request).await.unwrap().into_inner()).unwrap();
    assert_eq!((order.order_id, order.user_id, order.status), (id(&placed[0]), buyer.id, OrderStatus::Pending));
    assert_eq!((order.total.amount, order.items[0].product.name.as_str()), (3998, "Teapot"));

    let mut list = async |user_id: Uuid, limit, after: Option<String>| {
        let request = ListOrdersByUserRequest { user_id: user_id.to_string(), limit, after };
        let page = caller.list_orders_by_user(request).await.unwrap().into_inner();
        (page.orders.into_iter().map(|order| order.order_id).collect::<Vec<_>>(), page.next)
    };
    let ids: Vec<String> = placed.iter().rev().map(|order| id(order).to_string()).collect();
    assert_eq!(list(buyer.id, 0, None).await, (ids.clone(), None));
    let (first, next) = list(buyer.id, 2, None).await;
    assert_eq!((first.as_slice(), next.as_ref()), (&ids[..2], Some(&ids[1])));
    assert_eq!(list(buyer.id, 2, next).await, (ids[2..].to_vec(), None));
    assert_eq!(list(Uuid::now_v7(), 0, None).await, (vec![], None));
}

#[tokio::test]
async fn what_is_wrong_with_a_call_is_told_by_its_status() {
    let world = World::new().await;
    let orders = world.orders().await;
    let mut caller = caller(&orders);
    let mut get = async |order_id: String| caller.get_order(GetOrderRequest { order_id }).await.unwrap_err().code();
    assert_eq!(get(Uuid::now_v7().to_string()).await, Code::NotFound);
    assert_eq!(get("7".to_owned()).await, Code::InvalidArgument);
    for (user_id, limit, after) in
        [("7", 0, None), (&*Uuid::now_v7().to_string(), 101, None), (&*Uuid::now_v7().to_string(), 1, Some("x"))]
    {
        let request = ListOrdersByUserRequest { user_id: user_id.to_owned(), limit, after: after.map(str::to_owned) };
        assert_eq!(caller.list_orders_by_user(request).await.unwrap_err().code(), Code::InvalidArgument);
    }
}
