//! Products.

use contracts::products::{ProductOwner, ProductState};

use super::{Malformed, instant, required, timestamp, uuid};
use crate::v1;

impl From<ProductState> for v1::Product {
    fn from(product: ProductState) -> Self {
        Self {
            product_id: product.product_id.to_string(),
            name: product.name,
            description: product.description,
            price: Some(product.price.into()),
            owner: Some(product.owner.into()),
            stock: product.stock,
            reserved: product.reserved,
            sold: product.sold,
            version: product.version,
            created_at: Some(timestamp(product.created_at)),
            updated_at: Some(timestamp(product.updated_at)),
        }
    }
}

impl TryFrom<v1::Product> for ProductState {
    type Error = Malformed;

    fn try_from(product: v1::Product) -> Result<Self, Malformed> {
        Ok(Self {
            product_id: uuid("product_id", &product.product_id)?,
            name: product.name,
            description: product.description,
            price: required("price", product.price)?.try_into()?,
            owner: required("owner", product.owner)?.try_into()?,
            stock: product.stock,
            reserved: product.reserved,
            sold: product.sold,
            // What asks by gRPC has no use for it.
            image: None,
            version: product.version,
            created_at: instant("created_at", product.created_at)?,
            updated_at: instant("updated_at", product.updated_at)?,
        })
    }
}

impl From<ProductOwner> for v1::ProductOwner {
    fn from(owner: ProductOwner) -> Self {
        let ProductOwner { owner_id, name, address, version } = owner;
        Self { owner_id: owner_id.to_string(), name, address, version }
    }
}

impl TryFrom<v1::ProductOwner> for ProductOwner {
    type Error = Malformed;

    fn try_from(owner: v1::ProductOwner) -> Result<Self, Malformed> {
        let v1::ProductOwner { owner_id, name, address, version } = owner;
        Ok(Self { owner_id: uuid("owner_id", &owner_id)?, name, address, version })
    }
}
