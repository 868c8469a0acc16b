//! Products with a bucket for their images, and images.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use reqwest::{Body, RequestBuilder};
use ring::digest::{SHA256, digest};
use serde_json::Value;
use testkit::{Answered, TestS3, eventually};

use crate::support::{Ask, Products, User, World, path, user};

pub(crate) const LARGEST: usize = 5 * 1024 * 1024;

/// What replicas with images share.
pub(crate) struct Gallery {
    pub(crate) world: World,
    pub(crate) s3: TestS3,
    pub(crate) user: User,
}

impl Gallery {
    pub(crate) async fn new() -> Self {
        let (world, s3) = tokio::join!(World::new(), testkit::s3());
        Self { world, s3, user: user() }
    }

    /// The settings of the storage, by the names of arguments, at this address.
    pub(crate) fn settings(&self, url: &str) -> Vec<(&'static str, String)> {
        vec![
            ("s3-url", url.to_owned()),
            ("s3-bucket", self.s3.bucket().to_owned()),
            ("s3-access-key", self.s3.access_key().to_owned()),
            ("s3-secret-key", self.s3.secret_key().to_owned()),
        ]
    }

    /// A replica whose storage is at this address, whether that is there or not.
    pub(crate) async fn starts_with(&self, url: &str, more: &[&str]) -> Products {
        let settings: Vec<_> =
            self.settings(url).into_iter().map(|(name, value)| format!("--{name}={value}")).collect();
        let arguments: Vec<&str> = settings.iter().map(String::as_str).chain(more.iter().copied()).collect();
        self.world.products_with(&arguments).await
    }

    /// A replica that has its bucket.
    pub(crate) async fn products_with(&self, more: &[&str]) -> Products {
        let products = self.starts_with(self.s3.url(), more).await;
        has_bucket(&products).await;
        products
    }

    pub(crate) async fn products(&self) -> Products {
        self.products_with(&[]).await
    }

    pub(crate) async fn product(&self, products: &Products) -> Value {
        products.created(&self.user, &self.world.owners.of(&self.user), 1).await
    }

    /// Waits until there are just so many objects.
    pub(crate) async fn has_objects(&self, count: usize) -> Vec<String> {
        eventually(&format!("there are {count} objects"), async || {
            let keys = self.s3.keys().await;
            (keys.len() == count).then_some(keys)
        })
        .await
    }
}

pub(crate) async fn has_bucket(products: &Products) {
    eventually("the bucket is there", async || {
        let health = products.get("/health").answer().await.expect(200).json();
        (health["dependencies"]["s3"]["status"] == "up").then_some(())
    })
    .await;
}

/// A PNG by its beginning, of this size; others differ.
pub(crate) fn png(size: usize, other: u64) -> Bytes {
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut state = other.wrapping_mul(2).wrapping_add(1);
    while bytes.len() < size {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        bytes.extend_from_slice(&state.to_be_bytes());
    }
    bytes.truncate(size);
    bytes.into()
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn image_of(product: &Value) -> String {
    format!("{}/image", path(product))
}

/// Asks for a product to have this image.
pub(crate) fn put(products: &Products, product: &Value, kind: &str, image: impl Into<Body>) -> RequestBuilder {
    products.ask("PUT", &image_of(product)).header("content-type", kind).body(image)
}

/// The image that is shown now: its ETag and its bytes.
pub(crate) async fn shown(products: &Products, product: &Value) -> (String, Bytes) {
    let answer = products.get(&image_of(product)).send().await.expect("it answers");
    assert_eq!(answer.status(), 200);
    let etag = answer.headers()["etag"].to_str().expect("it is text").trim_matches('"').to_owned();
    let bytes = answer.bytes().await.expect("it ends in order");
    assert_eq!(sha256(&bytes), etag, "the image is what it was");
    (etag, bytes)
}

/// A body that sends a part, waits, and then goes on or breaks off.
pub(crate) fn in_two<F>(first: Bytes, wait: F, rest: Option<Bytes>) -> Body
where
    F: Future<Output = ()> + Send + 'static,
{
    let rest = async move {
        wait.await;
        rest.ok_or_else(|| std::io::Error::other("the client breaks off"))
    };
    let first: Vec<_> = first.chunks(64 * 1024).map(Bytes::copy_from_slice).map(Ok).collect();
    Body::wrap_stream(stream::iter(first).chain(stream::once(rest)))
}

/// A refusal that says when to come back.
pub(crate) fn is_for_now(refused: &Answered) {
    let after: u64 = refused.header("retry-after").parse().expect("seconds");
    assert!(Duration::from_secs(after) < Duration::from_secs(60));
}
