//! Orders.

use contracts::orders::{ItemProduct, OrderItem, OrderState, OrderStatus};

use super::{Malformed, instant, required, timestamp, uuid};
use crate::v1;

impl From<OrderState> for v1::Order {
    fn from(order: OrderState) -> Self {
        Self {
            order_id: order.order_id.to_string(),
            user_id: order.user_id.to_string(),
            user_name: order.user_name,
            items: order.items.into_iter().map(Into::into).collect(),
            total: Some(order.total.into()),
            status: v1::OrderStatus::from(order.status).into(),
            reason: order.reason,
            version: order.version,
            created_at: Some(timestamp(order.created_at)),
            updated_at: Some(timestamp(order.updated_at)),
        }
    }
}

impl TryFrom<v1::Order> for OrderState {
    type Error = Malformed;

    fn try_from(order: v1::Order) -> Result<Self, Malformed> {
        Ok(Self {
            order_id: uuid("order_id", &order.order_id)?,
            user_id: uuid("user_id", &order.user_id)?,
            status: order.status().try_into()?,
            user_name: order.user_name,
            items: order.items.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
            total: required("total", order.total)?.try_into()?,
            reason: order.reason,
            version: order.version,
            created_at: instant("created_at", order.created_at)?,
            updated_at: instant("updated_at", order.updated_at)?,
        })
    }
}

impl From<OrderItem> for v1::OrderItem {
    fn from(item: OrderItem) -> Self {
        Self {
            product_id: item.product_id.to_string(),
            quantity: item.quantity,
            price: Some(item.price.into()),
            product: Some(item.product.into()),
        }
    }
}

impl TryFrom<v1::OrderItem> for OrderItem {
    type Error = Malformed;

    fn try_from(item: v1::OrderItem) -> Result<Self, Malformed> {
        Ok(Self {
            product_id: uuid("product_id", &item.product_id)?,
            quantity: item.quantity,
            price: required("price", item.price)?.try_into()?,
            product: required("product", item.product)?.try_into()?,
        })
    }
}

impl From<ItemProduct> for v1::ItemProduct {
    fn from(product: ItemProduct) -> Self {
        let ItemProduct { name, description, owner, version } = product;
        Self { name, description, owner: Some(owner.into()), version }
    }
}

impl TryFrom<v1::ItemProduct> for ItemProduct {
    type Error = Malformed;

    fn try_from(product: v1::ItemProduct) -> Result<Self, Malformed> {
        let v1::ItemProduct { name, description, owner, version } = product;
        Ok(Self { name, description, owner: required("owner", owner)?.try_into()?, version })
    }
}

impl From<OrderStatus> for v1::OrderStatus {
    fn from(status: OrderStatus) -> Self {
        match status {
            OrderStatus::Pending => Self::Pending,
            OrderStatus::Confirmed => Self::Confirmed,
            OrderStatus::Cancelled => Self::Cancelled,
        }
    }
}

impl TryFrom<v1::OrderStatus> for OrderStatus {
    type Error = Malformed;

    fn try_from(status: v1::OrderStatus) -> Result<Self, Malformed> {
        match status {
            v1::OrderStatus::Pending => Ok(Self::Pending),
            v1::OrderStatus::Confirmed => Ok(Self::Confirmed),
            v1::OrderStatus::Cancelled => Ok(Self::Cancelled),
            v1::OrderStatus::Unspecified => Err(Malformed { field: "status", problem: "is unknown" }),
        }
    }
}
