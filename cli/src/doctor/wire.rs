//! As much of some protocols as tells that somebody speaks them.

use anyhow::{Context, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// No first answer is longer.
const MAX_ANSWER: usize = 64 * 1024;

/// What an AMQP 0-9-1 broker says of itself before anybody has logged in.
pub(super) async fn amqp_product(address: (&str, u16)) -> anyhow::Result<Option<String>> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"AMQP\x00\x00\x09\x01").await?;
    let mut head = [0; 7];
    stream.read_exact(&mut head).await?;
    let frame = body(&mut stream, u32::from_be_bytes([head[3], head[4], head[5], head[6]])).await?;
    let property = |name: &str| {
        // A field of a table: the length of its name, its name, `S`, the length of its value, its value.
        let mut key = vec![name.len() as u8];
        key.extend_from_slice(name.as_bytes());
        key.push(b'S');
        let at = frame.windows(key.len()).position(|bytes| bytes == key)? + key.len();
        let (length, rest) = frame[at..].split_first_chunk::<4>()?;
        let value = rest.get(..usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        String::from_utf8(value.to_vec()).ok()
    };
    Ok(property("version").map(|version| format!("{} {version}", property("product").unwrap_or_default())))
}

/// Asks a Kafka broker which requests it understands.
pub(super) async fn kafka_answers(broker: &str) -> anyhow::Result<()> {
    let client = b"warren";
    let mut request = Vec::new();
    // ApiVersions (18), version 0, with this correlation id.
    request.extend_from_slice(&18_i16.to_be_bytes());
    request.extend_from_slice(&0_i16.to_be_bytes());
    request.extend_from_slice(&CORRELATION.to_be_bytes());
    request.extend_from_slice(&(client.len() as i16).to_be_bytes());
    request.extend_from_slice(client);
    let mut framed = u32::try_from(request.len())?.to_be_bytes().to_vec();
    framed.append(&mut request);

    let mut stream = TcpStream::connect(broker).await?;
    stream.write_all(&framed).await?;
    let length = stream.read_u32().await.context("it does not speak Kafka's protocol")?;
    let answer = body(&mut stream, length).await?;
    let begins = [&CORRELATION.to_be_bytes()[..], &0_i16.to_be_bytes()].concat();
    ensure!(answer.starts_with(&begins), "it does not speak Kafka's protocol");
    Ok(())
}

const CORRELATION: i32 = 0x5741_5252;

async fn body(stream: &mut TcpStream, length: u32) -> anyhow::Result<Vec<u8>> {
    let length = usize::try_from(length)?;
    ensure!(length <= MAX_ANSWER, "it speaks another protocol");
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(body)
}
