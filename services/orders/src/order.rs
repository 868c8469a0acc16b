//! An order, as it is stored, and what is told of it.

use std::time::Duration;

use contracts::Money;
use contracts::headers::VERSION;
use contracts::orders::{
    ItemProduct, OrderCancelled, OrderConfirmed, OrderCreated, OrderItem, OrderState, OrderStatus,
};
use contracts::payments::{PaymentCommand, ProcessPayment, RefundPayment};
use contracts::products::{ProductOwner, ProductState};
use messaging::Outgoing;
use serde::{Deserialize, Serialize};
use service::documents::{Aggregate, Change, WhenFull, instant, now};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::saga::{Effect, Input, Saga, Step};

/// An order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Order {
    #[serde(rename = "_id", with = "uuid::serde::hyphenated")]
    pub(crate) id: Uuid,
    #[serde(with = "uuid::serde::hyphenated")]
    pub(crate) user_id: Uuid,
    pub(crate) user_name: String,
    /// The user's version that the name was taken from.
    pub(crate) user_version: i64,
    pub(crate) items: Vec<Item>,
    pub(crate) total: Money,
    /// What the saga's step is shown as, to be searched for.
    pub(crate) status: OrderStatus,
    pub(crate) saga: Saga,
    /// Ties all that comes of it to the request that placed it.
    pub(crate) correlation_id: String,
    pub(crate) version: i64,
    #[serde(with = "instant")]
    pub(crate) created_at: OffsetDateTime,
    #[serde(with = "instant")]
    pub(crate) updated_at: OffsetDateTime,
}

/// Some of one product.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Item {
    #[serde(with = "uuid::serde::hyphenated")]
    pub(crate) product_id: Uuid,
    pub(crate) quantity: u32,
    /// What one cost when the order was placed.
    pub(crate) price: Money,
    pub(crate) product: Shown,
}

/// What is shown of a product, as of one of its versions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Shown {
    pub(crate) details: Details,
    pub(crate) version: i64,
}

/// What is shown of a product.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Details {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) owner: Owner,
}

/// What is shown of a product's owner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Owner {
    #[serde(with = "uuid::serde::hyphenated")]
    owner_id: Uuid,
    name: String,
    address: String,
    version: i64,
}

/// A user, as an order shows them.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Buyer {
    pub(crate) user_id: Uuid,
    pub(crate) name: String,
    pub(crate) version: i64,
}

impl Order {
    pub(crate) fn new(buyer: Buyer, items: Vec<Item>, total: Money, timeout: Duration, correlation_id: &str) -> Self {
        let now = now();
        let saga = Saga::new(now, timeout);
        Self {
            id: Uuid::now_v7(),
            user_id: buyer.user_id,
            user_name: buyer.name,
            user_version: buyer.version,
            items,
            total,
            status: saga.status(),
            saga,
            correlation_id: correlation_id.to_owned(),
            version: 1,
            created_at: now,
            updated_at: now,
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.status != OrderStatus::Pending
    }

    /// What becomes of it with what is heard, and what it says; `None` if that changes nothing.
    pub(crate) fn after(&self, input: &Input) -> Option<Change<Self>> {
        let now = now();
        let (saga, effects) = self.saga.on(input, now)?;
        let status = saga.status();
        let to = Self { status, saga, version: self.version + 1, updated_at: now, ..self.clone() };
        let messages = effects.into_iter().map(|effect| to.message(effect)).collect();
        Some(Change { to, messages })
    }

    fn message(&self, effect: Effect) -> Outgoing {
        let (order_id, user_id, amount) = (self.id, self.user_id, self.total);
        let message = match effect {
            Effect::AnnounceCreated => Outgoing::new(&OrderCreated(self.state())),
            Effect::AnnounceConfirmed => Outgoing::new(&OrderConfirmed(self.state())),
            Effect::AnnounceCancelled => Outgoing::new(&OrderCancelled(self.state())),
            Effect::AskPayment => PaymentCommand::Process(ProcessPayment { order_id, user_id, amount }).outgoing(),
            Effect::AskRefund => {
                let reason = self.saga.reason.clone().unwrap_or_default();
                PaymentCommand::Refund(RefundPayment { order_id, user_id, amount, reason }).outgoing()
            }
        };
        message.with_header(VERSION, self.version).with_correlation_id(self.correlation_id.as_str())
    }

    /// What its user may know.
    pub(crate) fn state(&self) -> OrderState {
        OrderState {
            order_id: self.id,
            user_id: self.user_id,
            user_name: self.user_name.clone(),
            items: self.items.iter().cloned().map(Into::into).collect(),
            total: self.total,
            status: self.status,
            reason: self.saga.reason.clone(),
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }
}

impl Aggregate for Order {
    const NAME: &'static str = "order";
    // It also holds commands.
    const WHEN_FULL: WhenFull = WhenFull::Refuse;

    fn id(&self) -> Uuid {
        self.id
    }

    fn version(&self) -> i64 {
        self.version
    }

    fn is_deleted(&self) -> bool {
        false
    }

    fn event(&self) -> Option<Outgoing> {
        let effect = match self.saga.step {
            Step::Reserved | Step::Paid => Effect::AnnounceCreated,
            Step::Confirmed => Effect::AnnounceConfirmed,
            Step::Cancelled => Effect::AnnounceCancelled,
            // It was not announced yet, or its end is about to be.
            Step::Placed | Step::Cancelling => return None,
        };
        Some(self.message(effect))
    }
}

impl Item {
    pub(crate) fn new(product: &ProductState, quantity: u32) -> Self {
        let shown = Shown { details: Details::of(product), version: product.version };
        Self { product_id: product.product_id, quantity, price: product.price, product: shown }
    }
}

impl Details {
    pub(crate) fn of(product: &ProductState) -> Self {
        let ProductOwner { owner_id, name, address, version } = product.owner.clone();
        let owner = Owner { owner_id, name, address, version };
        Self { name: product.name.clone(), description: product.description.clone(), owner }
    }
}

impl From<Item> for OrderItem {
    fn from(item: Item) -> Self {
        let Item { product_id, quantity, price, product: Shown { details, version } } = item;
        let Details { name, description, owner: Owner { owner_id, name: owner_name, address, version: owner_version } } =
            details;
        let owner = ProductOwner { owner_id, name: owner_name, address, version: owner_version };
        Self { product_id, quantity, price, product: ItemProduct { name, description, owner, version } }
    }
}
