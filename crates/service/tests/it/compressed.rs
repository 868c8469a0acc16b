//! Compressed bodies are read, and bombs are not.

use async_compression::tokio::write::{BrotliEncoder, GzipEncoder, ZlibEncoder, ZstdEncoder};
use axum::Router;
use axum::routing::post;
use reqwest::Response;
use service::http::{HttpSettings, RawBody};
use tokio::io::AsyncWriteExt;

use crate::server::{Server, limits, no_dependencies, problem, settings};

/// Compresses a chunk again and again, each ending on a byte, and then the end of it all.
macro_rules! compressed {
    ($encoder:ty, $chunk:expr) => {{
        let mut encoder = <$encoder>::new(Vec::new());
        let mut ends = Vec::new();
        for _ in 0..3 {
            encoder.write_all($chunk).await.expect("a vector takes all");
            encoder.flush().await.expect("a vector takes all");
            ends.push(encoder.get_ref().len());
        }
        encoder.shutdown().await.expect("a vector takes all");
        let all = encoder.into_inner();
        Compressed {
            start: all[..ends[1]].to_vec(),
            again: all[ends[1]..ends[2]].to_vec(),
            end: all[ends[2]..].to_vec(),
        }
    }};
}

struct Compressed {
    start: Vec<u8>,
    again: Vec<u8>,
    end: Vec<u8>,
}

impl Compressed {
    fn whole(&self) -> Vec<u8> {
        [&self.start[..], &self.again, &self.end].concat()
    }

    /// As many repetitions as have room in a body.
    fn bomb(&self, limit: usize) -> Vec<u8> {
        let times = (limit - self.start.len()) / self.again.len();
        [&self.start[..], &self.again.repeat(times)].concat()
    }
}

async fn all(chunk: &[u8]) -> [(&'static str, Compressed); 4] {
    [
        ("gzip", compressed!(GzipEncoder<Vec<u8>>, chunk)),
        ("deflate", compressed!(ZlibEncoder<Vec<u8>>, chunk)),
        ("br", compressed!(BrotliEncoder<Vec<u8>>, chunk)),
        ("zstd", compressed!(ZstdEncoder<Vec<u8>>, chunk)),
    ]
}

async fn server(settings: HttpSettings) -> Server {
    let router = Router::new()
        .route("/echo", post(async |RawBody(body): RawBody| body))
        .route("/unread", post(async || "not read"));
    Server::start_set(router, no_dependencies(), limits(), settings).await
}

async fn send(server: &Server, path: &str, encoding: &str, body: Vec<u8>) -> Response {
    let request = server.client.post(server.url(path)).header("content-encoding", encoding).body(body);
    request.send().await.expect("the server answers")
}

#[tokio::test]
async fn each_encoding_is_read() {
    let server = server(settings()).await;
    let chunk = b"a line of text that comes again. ".repeat(100);
    for (encoding, body) in all(&chunk).await {
        let answer = send(&server, "/echo", encoding, body.whole()).await;
        assert_eq!(answer.status(), 200, "{encoding}");
        assert!(answer.bytes().await.unwrap() == chunk.repeat(3), "{encoding}");
    }
    let gzip = compressed!(GzipEncoder<Vec<u8>>, &chunk).whole();
    let two_members = [gzip.clone(), gzip].concat();
    let answer = send(&server, "/echo", "GZIP", two_members).await;
    assert!(answer.bytes().await.unwrap() == chunk.repeat(6));
}

#[tokio::test]
async fn a_bomb_is_too_large_and_takes_no_memory() {
    // A gzip of 1 MiB can become 1 GiB, a Zstandard of it 30 GiB, and a Brotli hundreds.
    let limit = 1024 * 1024;
    let server = server(HttpSettings { body_limit: limit, ..HttpSettings::default() }).await;
    let before = peak_memory();
    for (encoding, compressed) in all(&vec![0; limit]).await {
        let bomb = compressed.bomb(limit);
        let grows = bomb.len() / compressed.again.len();
        assert!(grows >= 900, "this {encoding} bomb is only {grows} MiB");
        let sent = (0..8).map(|_| send(&server, "/echo", encoding, bomb.clone()));
        for answer in futures_util::future::join_all(sent).await {
            problem(answer, 413).await;
        }
    }
    let grown = peak_memory() - before;
    assert!(grown < 128, "memory grew by {grown} MiB");
}

/// The most memory that this process ever had, in MiB.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("the process has a status");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("it has a peak");
    let kibibytes: u64 = peak.trim().trim_end_matches(" kB").parse().expect("it is a number");
    kibibytes / 1024
}

#[tokio::test]
async fn what_comes_out_may_be_as_large_as_the_limit_and_no_larger() {
    let server = server(settings()).await;
    let limit = settings().body_limit;
    for (length, status) in [(limit, 200), (limit + 1, 413)] {
        let mut encoder = GzipEncoder::new(Vec::new());
        encoder.write_all(&vec![b'x'; length]).await.unwrap();
        encoder.shutdown().await.unwrap();
        let answer = send(&server, "/echo", "gzip", encoder.into_inner()).await;
        assert_eq!(answer.status().as_u16(), status, "{length} bytes");
    }
}

#[tokio::test]
async fn what_is_sent_is_limited_too() {
    let server = server(settings()).await;
    let empty_members = compressed!(GzipEncoder<Vec<u8>>, b"").whole().repeat(20_000);
    assert!(empty_members.len() > 4 * settings().body_limit);
    problem(send(&server, "/echo", "gzip", empty_members).await, 413).await;
}

#[tokio::test]
async fn unknown_and_nested_encodings_are_refused() {
    let server = server(settings()).await;
    for encoding in ["compress", "gzip, gzip", "br, gzip"] {
        let answer = send(&server, "/echo", encoding, b"x".to_vec()).await;
        assert_eq!(answer.headers()["accept-encoding"], "gzip, deflate, br, zstd");
        problem(answer, 415).await;
    }
    let twice = server.client.post(server.url("/echo")).header("content-encoding", "gzip");
    let twice = twice.header("content-encoding", "gzip").body("x").send().await.unwrap();
    problem(twice, 415).await;
}

#[tokio::test]
async fn what_cannot_be_decompressed_is_a_bad_request() {
    let server = server(settings()).await;
    for (encoding, compressed) in all(&b"some text ".repeat(50)).await {
        let whole = compressed.whole();
        let cut = compressed.start.clone();
        let trailed = [&whole[..], b"trailing"].concat();
        for broken in [b"no such thing".to_vec(), cut, trailed] {
            let refused = problem(send(&server, "/echo", encoding, broken).await, 400).await;
            assert!(refused.detail.unwrap().contains("decompressed"), "{encoding}");
        }
    }
}

#[tokio::test]
async fn a_window_that_takes_much_memory_is_refused() {
    let server = server(settings()).await;
    // A Zstandard frame: magic, a descriptor without sizes, a window of 1 GiB, then one empty last block.
    let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 20 << 3, 0x01, 0x00, 0x00];
    problem(send(&server, "/echo", "zstd", frame.to_vec()).await, 400).await;
    // The same with a window of 1 MiB is an empty body.
    let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 10 << 3, 0x01, 0x00, 0x00];
    assert_eq!(send(&server, "/echo", "zstd", frame.to_vec()).await.status(), 200);
}

#[tokio::test]
async fn who_does_not_read_the_body_does_not_decompress_it() {
    let server = server(settings()).await;
    for encoding in ["gzip", "compress"] {
        let answer = send(&server, "/unread", encoding, b"neither of them".to_vec()).await;
        assert_eq!(answer.text().await.unwrap(), "not read");
        problem(send(&server, "/nowhere", encoding, b"neither of them".to_vec()).await, 404).await;
    }
}

#[tokio::test]
async fn bodies_are_left_as_they_are_where_that_is_wanted() {
    let server = server(HttpSettings { decompress: false, ..settings() }).await;
    let answer = send(&server, "/echo", "gzip", b"as it is".to_vec()).await;
    assert_eq!(answer.text().await.unwrap(), "as it is");
}
