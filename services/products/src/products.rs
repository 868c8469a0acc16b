//! The products: read by anyone, changed one at a time.

use std::ops::Deref;

use service::ApiResult;
use service::documents::{Change, Documents};
use uuid::Uuid;

use crate::product::Product;
use crate::stock::Lanes;

/// The products. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Products {
    documents: Documents<Product>,
    lanes: Lanes,
}

impl Products {
    pub(crate) fn new(documents: Documents<Product>, lanes: Lanes) -> Self {
        Self { documents, lanes }
    }

    /// As [`Documents::change`], after those in this process who came before.
    pub(crate) async fn change(
        &self,
        product_id: Uuid,
        decide: impl FnMut(&Product) -> ApiResult<Option<Change<Product>>>,
    ) -> ApiResult<Product> {
        let _turn = self.lanes.enter(product_id).await;
        self.documents.change(product_id, decide).await
    }
}

impl Deref for Products {
    type Target = Documents<Product>;

    fn deref(&self) -> &Documents<Product> {
        &self.documents
    }
}
