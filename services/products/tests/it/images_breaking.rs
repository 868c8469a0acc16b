//! Images whose clients, storage or service break off.

use std::time::{Duration, Instant};

use testkit::{eventually, proxy};
use uuid::Uuid;

use crate::pictures::{Gallery, LARGEST, has_bucket, image_of, in_two, is_for_now, png, put, sha256, shown};
use crate::support::{Ask, id, named, path};

#[tokio::test]
async fn of_an_image_that_breaks_off_nothing_stays_and_the_old_one_does() {
    let gallery = Gallery::new().await;
    let storage = proxy(gallery.s3.url()).await;
    let products = gallery.products().await;
    let product = gallery.product(&products).await;
    let old = png(1_000, 1);
    put(&products, &product, "image/png", old.clone()).by(&gallery.user).answer().await.expect(200);

    // Seen from here, all that this replica wants of the storage is the upload.
    let breaking = gallery.starts_with(&storage.url_for(gallery.s3.url()), &[]).await;
    has_bucket(&breaking).await;
    eventually("nothing else is asked", async || (storage.connections() == 0).then_some(())).await;
    let (breaks, breaks_off) = tokio::sync::oneshot::channel::<()>();
    let body = in_two(png(1_000_000, 2), async move { drop(breaks_off.await) }, None);
    let upload = put(&breaking, &product, "image/png", body).header("content-length", LARGEST).by(&gallery.user);
    let breaking_off = async {
        eventually("the storage gets it", async || (storage.connections() == 1).then_some(())).await;
        breaks.send(()).expect("the body is being sent");
    };
    let (sent, ()) = tokio::join!(upload.send(), breaking_off);
    assert!(sent.is_err(), "the client broke off");
    eventually("the storage is left", async || (storage.connections() == 0).then_some(())).await;
    gallery.has_objects(1).await;
    assert_eq!(shown(&products, &product).await.1, old);
    assert_eq!(products.get(&path(&product)).answer().await.json()["version"], 2);
}

#[tokio::test]
async fn while_the_storage_is_away_all_but_images_goes_on() {
    let gallery = Gallery::new().await;
    let storage = proxy(gallery.s3.url()).await;
    storage.cut().await;
    let products = gallery.starts_with(&storage.url_for(gallery.s3.url()), &[]).await;
    let product = gallery.product(&products).await;
    let upload = |other| put(&products, &product, "image/png", png(LARGEST, other)).by(&gallery.user).answer();
    is_for_now(&upload(1).await.expect(503));
    assert_eq!(products.get("/health").answer().await.expect(200).json()["dependencies"]["s3"]["status"], "down");
    storage.restore().await;
    has_bucket(&products).await;
    let with_image = upload(1).await.expect(200).json();

    for silent in [false, true] {
        if silent {
            storage.blackhole().await
        } else {
            storage.cut().await
        }
        let (uploaded, read) = tokio::join!(upload(2), products.get(&image_of(&product)).answer());
        is_for_now(&uploaded.expect(503));
        is_for_now(&read.expect(503));
        let etag = format!("\"{}\"", sha256(&png(LARGEST, 1)));
        products.get(&image_of(&product)).header("if-none-match", etag).answer().await.expect(304);
        assert_eq!(products.get(&path(&product)).answer().await.expect(200).json(), with_image);
        products.get("/ready").answer().await.expect(200);
        storage.restore().await;
        has_bucket(&products).await;
        assert_eq!(shown(&products, &product).await.1, png(LARGEST, 1));
    }
    storage.cut().await;
    products.put(&product, &named("Kettle")).by(&gallery.user).answer().await.expect(200);
    products.delete(&product).by(&gallery.user).answer().await.expect(204);
    products.stop().await;
}

/// An object that nobody uploaded through products, or only the first half of it.
async fn left(gallery: &Gallery, name: &str) {
    let url = format!("{}/{}/{name}", gallery.s3.url(), gallery.s3.bucket());
    let stored = crate::support::client().put(url).header("authorization", "of a test").body("left").send().await;
    stored.expect("the storage answers").error_for_status().expect("the storage takes it");
}

#[tokio::test]
async fn what_no_product_shows_is_swept_and_all_else_stays() {
    let gallery = Gallery::new().await;
    let products = gallery.products().await;
    let (product, deleted) = (gallery.product(&products).await, gallery.product(&products).await);
    put(&products, &product, "image/png", png(1_000, 1)).by(&gallery.user).answer().await.expect(200);
    products.delete(&deleted).by(&gallery.user).answer().await.expect(204);
    let mut stay = gallery.has_objects(1).await;

    let upload = || Uuid::now_v7();
    for name in [
        format!("products/{}/0-{}", id(&product), upload()),
        format!("products/{}/0-{}", id(&product), upload()),
        format!("products/{}/0-{}", id(&deleted), upload()),
        format!("products/{}/3-{}", Uuid::now_v7(), upload()),
    ] {
        left(&gallery, &name).await;
    }
    for name in ["products/read-me", "another/thing"] {
        left(&gallery, name).await;
        stay.push(name.to_owned());
    }
    stay.sort();
    let begun = Instant::now();
    let sweeping = ["--image-sweep-every=0.1", "--image-orphan-age=3"];
    let (_one, _two) = tokio::join!(gallery.products_with(&sweeping), gallery.products_with(&sweeping));
    assert_eq!(gallery.has_objects(stay.len()).await, stay);
    // The storage's clock shows whole seconds.
    assert!(begun.elapsed() > Duration::from_secs(1), "what is young is left alone");
    let product = products.get(&path(&product)).answer().await.expect(200).json();
    assert_eq!(product["version"], 3, "once, uploads that might go on were ended");
    assert_eq!(shown(&products, &product).await.1, png(1_000, 1));
    put(&products, &product, "image/png", png(1_000, 2)).by(&gallery.user).answer().await.expect(200);
    assert_eq!(gallery.has_objects(stay.len()).await.len(), stay.len());
    assert_eq!(shown(&products, &product).await.1, png(1_000, 2));
}

/// Far too eager a sweep, as by a clock that is an hour ahead.
#[tokio::test]
async fn a_sweep_that_comes_between_an_upload_and_its_change_refuses_it_and_loses_nothing() {
    let gallery = Gallery::new().await;
    let eager = ["--image-sweep-every=0.001", "--image-orphan-age=0.001"];
    let (one, _two, _three) =
        tokio::join!(gallery.products(), gallery.products_with(&eager), gallery.products_with(&eager));
    let product = gallery.product(&one).await;
    let mut last = None;
    for other in 0..40 {
        let image = png(2_000, other);
        let answer = put(&one, &product, "image/png", image.clone()).by(&gallery.user).answer().await;
        match answer.status {
            200 => last = Some(image),
            _ => is_for_now(&answer.expect(503)),
        }
        match &last {
            Some(last) => assert_eq!(shown(&one, &product).await.1, last),
            None => drop(one.get(&image_of(&product)).answer().await.expect(404)),
        }
    }
    gallery.has_objects(usize::from(last.is_some())).await;
}
