//! A Kafka topic of its own for each test.
//!
//! Two requests of Kafka's protocol are written out here: what tests need is too little to link a client into all of them.

use anyhow::{Context, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::Url;

use crate::{address, cleanup, name};

/// How long Kafka is given to delete a topic, in milliseconds.
const DELETE_LIMIT: u32 = 4_000;
/// More than either answer has.
const LONGEST: usize = 1 << 20;

/// The name of a topic, which is deleted at the end of the test. It is not made: Kafka does that at the first record.
#[derive(Debug)]
pub struct TestKafka {
    server: Url,
    topic: String,
}

/// Names an unused topic.
///
/// # Panics
/// If the shared Kafka is not reachable.
pub async fn kafka() -> TestKafka {
    let server = address::kafka();
    let brokers = address::reached(&server, brokers(&server).await);
    assert!(brokers > 0, "the test server Kafka has no broker that works");
    TestKafka { topic: name::unique(), server }
}

impl TestKafka {
    /// Where it is: `host:port`.
    pub fn brokers(&self) -> &str {
        self.server.authority()
    }

    /// The name of the topic.
    pub fn topic(&self) -> &str {
        &self.topic
    }
}

impl Drop for TestKafka {
    fn drop(&mut self) {
        let (server, topic) = (self.server.clone(), self.topic.clone());
        cleanup::run(async move { delete(&server, &topic).await });
    }
}

/// How many brokers can be worked with, by a `Metadata` request of version 1 that asks for no topic.
pub(crate) async fn brokers(server: &Url) -> anyhow::Result<u32> {
    let answer = ask(server, 3, 1, &0_u32.to_be_bytes()).await?;
    let count = answer.first_chunk().context("the answer begins with the number of brokers")?;
    Ok(u32::from_be_bytes(*count))
}

/// `DeleteTopics`, version 1. One that was never made is as good: nothing reads the errors per topic.
async fn delete(server: &Url, topic: &str) -> anyhow::Result<()> {
    let length = u16::try_from(topic.len()).context("names of topics are short")?;
    let topics = [&1_u32.to_be_bytes()[..], &length.to_be_bytes(), topic.as_bytes(), &DELETE_LIMIT.to_be_bytes()];
    ask(server, 20, 1, &topics.concat()).await.map(drop)
}

/// One request and its answer, both without their headers.
async fn ask(server: &Url, kind: u16, version: u16, body: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server.authority()).await?;
    // Number 0 of a client that has no name.
    let header = [&kind.to_be_bytes()[..], &version.to_be_bytes(), &[0; 4], &[0xff; 2]].concat();
    let length = u32::try_from(header.len() + body.len()).context("requests are short")?;
    stream.write_all(&[&length.to_be_bytes(), &header[..], body].concat()).await?;
    let length = stream.read_u32().await? as usize;
    ensure!((4..LONGEST).contains(&length), "an answer of {length} bytes is none of Kafka's");
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer).await?;
    Ok(answer.split_off(4))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eventually;

    #[tokio::test]
    async fn a_dropped_topic_is_gone() {
        let kafka = kafka().await;
        let (server, topic) = (&kafka.server.clone(), &kafka.topic().to_owned());
        // To ask for a topic by its name makes it; to ask for all does not.
        let length = u16::try_from(topic.len()).unwrap();
        let named = [&1_u32.to_be_bytes()[..], &length.to_be_bytes(), topic.as_bytes()].concat();
        ask(server, 3, 1, &named).await.unwrap();
        let is_there = || async move {
            let all = ask(server, 3, 1, &[0xff; 4]).await.unwrap();
            all.windows(topic.len()).any(|part| part == topic.as_bytes())
        };
        eventually("the topic is there", || async { is_there().await.then_some(()) }).await;
        drop(kafka);
        eventually("the topic is gone", || async { (!is_there().await).then_some(()) }).await;
    }
}
