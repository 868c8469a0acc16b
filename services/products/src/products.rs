//! The products: read by anyone, changed one at a time.

use std::ops::Deref;

use service::ApiResult;
use service::documents::{Change, Documents};
use uuid::Uuid;

use crate::images::Leftovers;
use crate::product::Product;
use crate::stock::Lanes;

/// The products. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Products {
    documents: Documents<Product>,
    lanes: Lanes,
    leftovers: Leftovers,
}

impl Products {
    pub(crate) fn new(documents: Documents<Product>, lanes: Lanes, leftovers: Leftovers) -> Self {
        Self { documents, lanes, leftovers }
    }

    /// Where objects are named that no product will show.
    pub(crate) fn leftovers(&self) -> &Leftovers {
        &self.leftovers
    }

    /// As [`Documents::change`], after those in this process who came before. An image that is not shown any more is removed.
    pub(crate) async fn change(
        &self,
        product_id: Uuid,
        mut decide: impl FnMut(&Product) -> ApiResult<Option<Change<Product>>>,
    ) -> ApiResult<Product> {
        let _turn = self.lanes.enter(product_id).await;
        let mut before = None;
        let changing = self.documents.change(product_id, |present| {
            before = present.image_key();
            decide(present)
        });
        let changed = changing.await?;
        if let Some(key) = before.filter(|key| changed.image_key() != Some(*key)) {
            self.leftovers.remove(key);
        }
        Ok(changed)
    }
}

impl Deref for Products {
    type Target = Documents<Product>;

    fn deref(&self) -> &Documents<Product> {
        &self.documents
    }
}
