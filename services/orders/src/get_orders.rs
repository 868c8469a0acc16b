//! The gRPC side: other services ask for orders.

use proto::v1::order_service_server::{OrderService, OrderServiceServer};
use proto::v1::{GetOrderRequest, ListOrdersByUserRequest, ListOrdersByUserResponse, Order};
use service::http::Limit;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::store::{Orders, of_user};

const USUAL: u32 = 20;
const MOST: u32 = 100;

#[derive(Clone, Debug)]
pub(crate) struct GetOrders(Orders);

pub(crate) fn service(orders: Orders) -> OrderServiceServer<GetOrders> {
    OrderServiceServer::new(GetOrders(orders))
}

#[tonic::async_trait]
impl OrderService for GetOrders {
    async fn get_order(&self, request: Request<GetOrderRequest>) -> Result<Response<Order>, Status> {
        let order_id = proto::uuid("order_id", &request.get_ref().order_id)?;
        let order = self.0.documents.get(order_id).await?;
        Ok(Response::new(order.state().into()))
    }

    async fn list_orders_by_user(
        &self,
        request: Request<ListOrdersByUserRequest>,
    ) -> Result<Response<ListOrdersByUserResponse>, Status> {
        let ListOrdersByUserRequest { user_id, limit, after } = request.into_inner();
        let user_id = proto::uuid("user_id", &user_id)?;
        let after = after.map(|after| proto::uuid("after", &after)).transpose()?;
        let limit = match limit {
            0 => USUAL,
            limit @ 1..=MOST => limit,
            _ => return Err(Status::invalid_argument(format!("`limit` must be at most {MOST}"))),
        };
        let (orders, next) = self.0.newest(of_user(user_id), after, Limit::of(Some(limit))?).await?;
        let orders = orders.iter().map(|order| order.state().into()).collect();
        Ok(Response::new(ListOrdersByUserResponse { orders, next: next.as_ref().map(Uuid::to_string) }))
    }
}
