//! Reading what was written last, to know it again.

use std::collections::HashSet;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::{Offset, TopicPartitionList};
use tokio_util::sync::CancellationToken;

use super::BATCH;
use super::client::{Limit, Quiet, config};
use super::record::MESSAGE_ID;
use super::remembered::Remembered;

/// At least two batches of each partition, all of which may have gone to that one: what was committed last may not have been
/// acked. Markers of transactions count among them, one for each.
const AT_LEAST: usize = 4 * BATCH;

/// Something must come within this time.
const PATIENCE: Duration = Duration::from_secs(5);

/// The ids of the last events of a topic, about as many as are to be remembered, read from all partitions alike. Who calls
/// this has fenced off all others who write, so that the topic's end stands still.
pub(super) fn read(
    brokers: &str,
    topic: &str,
    most: usize,
    stop: &CancellationToken,
) -> Result<Remembered, KafkaError> {
    let consumer: BaseConsumer<Quiet> = config(brokers)
        // It joins no group: an assignment of one's own needs a name all the same.
        .set("group.id", "bridge.tail")
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        .set("auto.offset.reset", "earliest")
        .set("enable.partition.eof", "true")
        .set("queued.max.messages.kbytes", "16384")
        .create_with_context(Quiet)?;
    let partitions = partitions(&consumer, topic)?;
    let each = (most / partitions.len().max(1)).max(AT_LEAST);
    let mut assignment = TopicPartitionList::new();
    for partition in &partitions {
        let offset = Offset::OffsetTail(i64::try_from(each).unwrap_or(i64::MAX));
        assignment.add_partition_offset(topic, *partition, offset)?;
    }
    consumer.assign(&assignment)?;

    let mut remembered = Remembered::new(most.max(each * partitions.len()));
    let mut unread: HashSet<i32> = partitions.into_iter().collect();
    let mut limit = Limit::of(PATIENCE);
    while !unread.is_empty() {
        limit.check()?;
        if stop.is_cancelled() {
            return Err(KafkaError::Canceled);
        }
        match consumer.poll(Duration::from_millis(100)) {
            None => continue,
            Some(Ok(message)) => {
                if let Some(id) = id(&message) {
                    remembered.insert(id);
                }
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                unread.remove(&partition);
            }
            Some(Err(error)) => return Err(error),
        }
        limit = Limit::of(PATIENCE);
    }
    Ok(remembered)
}

fn partitions(consumer: &BaseConsumer<Quiet>, topic: &str) -> Result<Vec<i32>, KafkaError> {
    let metadata = consumer.fetch_metadata(Some(topic), PATIENCE)?;
    let found = metadata.topics().first().filter(|found| found.error().is_none());
    let partitions: Vec<i32> = found.iter().flat_map(|found| found.partitions()).map(|found| found.id()).collect();
    if partitions.is_empty() {
        return Err(KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownTopicOrPartition));
    }
    Ok(partitions)
}

fn id<'a>(message: &'a BorrowedMessage<'_>) -> Option<&'a str> {
    let headers = message.headers()?;
    let id = headers.iter().find(|header| header.key == MESSAGE_ID)?.value?;
    std::str::from_utf8(id).ok()
}
