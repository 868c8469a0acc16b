//! What a role does whose store is not in use here: nothing, so that its queue does not grow for ever.

use messaging::{Delivery, Failure, HandleBatch};

/// Takes messages, and does nothing with them.
#[derive(Clone, Copy, Debug)]
pub struct Skip;

impl<M: Send + Sync + 'static> HandleBatch<M> for Skip {
    async fn handle_batch(&self, batch: &[Delivery<M>]) -> Result<Vec<Result<(), Failure>>, Failure> {
        Ok(vec![Ok(()); batch.len()])
    }
}
