//! `tasks`: stores texts in MongoDB.

use contracts::messages::StoreMessage;
use messaging::{Delivery, Failure, HandleBatch};

use crate::stores::check_length;
use crate::stores::messages::Messages;

/// Far more than the producer accepts, and far less than MongoDB can hold.
const MAX_CHARS: usize = 1024 * 1024;

/// Stores each text once.
#[derive(Debug)]
pub struct StoreMessages(pub Messages);

impl HandleBatch<StoreMessage> for StoreMessages {
    async fn handle_batch(&self, batch: &[Delivery<StoreMessage>]) -> Result<Vec<Result<(), Failure>>, Failure> {
        let mut verdicts: Vec<_> =
            batch.iter().map(|delivery| check_length("message", &delivery.payload.message, MAX_CHARS)).collect();
        let sound: Vec<_> = (0..batch.len()).filter(|&i| verdicts[i].is_ok()).collect();
        let texts: Vec<_> = sound.iter().map(|&i| (&batch[i].meta, batch[i].payload.message.as_str())).collect();
        for (i, verdict) in sound.into_iter().zip(self.0.insert(&texts).await?) {
            verdicts[i] = verdict;
        }
        Ok(verdicts)
    }
}
