//! Images of products.

use futures_util::future::join_all;
use serde_json::{Value, json};
use testkit::Program;

use crate::pictures::{Gallery, LARGEST, image_of, in_two, png, put, sha256, shown};
use crate::support::{Ask, World, admin, client, path, user};

#[tokio::test]
async fn an_image_is_shown_as_it_was_sent_and_told_of() {
    let gallery = Gallery::new().await;
    let products = gallery.products().await;
    let product = gallery.product(&products).await;
    products.get(&image_of(&product)).answer().await.expect(404);

    let image = png(LARGEST, 1);
    let changed = put(&products, &product, "image/png", image.clone()).by(&gallery.user).answer().await.expect(200);
    let told = json!({ "content_type": "image/png", "size": LARGEST, "etag": sha256(&image) });
    assert_eq!((&changed.json()["image"], changed.header("etag")), (&told, "\"2\""));
    assert_eq!(products.get(&path(&product)).answer().await.expect(200).json(), changed.json());
    let messages = gallery.world.messages(2).await;
    assert_eq!((messages[1].routing_key.as_str(), &messages[1].json()), ("product.updated", &changed.json()));

    let (etag, bytes) = shown(&products, &product).await;
    assert_eq!((etag, bytes), (sha256(&image), image.clone()));
    let answer = products.get(&image_of(&product)).send().await.expect("it answers");
    for (name, value) in [
        ("content-type", "image/png"),
        ("content-length", &*LARGEST.to_string()),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "public, no-cache"),
        ("content-security-policy", "default-src 'none'; sandbox"),
    ] {
        assert_eq!(answer.headers()[name], value, "{name}");
    }
    let known = products.get(&image_of(&product)).header("if-none-match", answer.headers()["etag"].clone());
    let known = known.answer().await.expect(304);
    assert_eq!((known.body.as_str(), known.header("etag")), ("", &*format!("\"{}\"", sha256(&image))));

    let again = put(&products, &product, "image/png", image).by(&gallery.user).answer().await.expect(200);
    assert_eq!(again.json(), changed.json(), "the same again is no change");
    gallery.has_objects(1).await;
}

#[tokio::test]
async fn what_takes_an_images_place_or_takes_it_away_removes_it() {
    let gallery = Gallery::new().await;
    let products = gallery.products().await;
    let product = gallery.product(&products).await;
    let jpeg: Vec<u8> = [b"\xff\xd8\xff\xe0".as_slice(), &[7; 20]].concat();
    let webp: Vec<u8> = [b"RIFF\x10\0\0\0WEBPVP8 ".as_slice(), &[7; 20]].concat();
    let mut before = String::new();
    for (kind, image) in [("image/png", png(30_000, 1).to_vec()), ("image/jpeg", jpeg), ("IMAGE/WebP", webp)] {
        put(&products, &product, kind, image.clone()).by(&gallery.user).answer().await.expect(200);
        assert_eq!(shown(&products, &product).await.1, image);
        let objects = gallery.has_objects(1).await;
        assert_ne!(objects[0], before);
        before.clone_from(&objects[0]);
    }

    let delete = || products.ask("DELETE", &image_of(&product)).by(&gallery.user);
    delete().header("if-match", "\"1\"").answer().await.expect(412);
    delete().answer().await.expect(204);
    products.get(&image_of(&product)).answer().await.expect(404);
    delete().answer().await.expect(404);
    gallery.has_objects(0).await;
    assert_eq!(gallery.world.messages(5).await[4].json()["image"], Value::Null);

    put(&products, &product, "image/png", png(100, 2)).by(&gallery.user).answer().await.expect(200);
    gallery.has_objects(1).await;
    products.delete(&product).by(&gallery.user).answer().await.expect(204);
    products.get(&image_of(&product)).answer().await.expect(404);
    gallery.has_objects(0).await;
}

#[tokio::test]
async fn only_an_image_that_is_what_it_says_and_not_too_large_is_taken() {
    let gallery = Gallery::new().await;
    let products = gallery.products().await;
    let product = gallery.product(&products).await;
    let old = png(1_000, 1);
    put(&products, &product, "image/png", old.clone()).by(&gallery.user).answer().await.expect(200);

    let svg = "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>";
    let html = format!("<!doctype html><script>{}</script>", "x".repeat(200_000));
    for (kind, wrong) in [
        ("image/png", svg.to_owned().into_bytes()),
        ("image/png", html.into_bytes()),
        ("image/jpeg", png(5_000, 2).to_vec()),
        ("image/svg+xml", svg.to_owned().into_bytes()),
        ("", png(5_000, 2).to_vec()),
        ("image/png", b"\x89PNG\r\n".to_vec()),
        ("image/png", Vec::new()),
    ] {
        put(&products, &product, kind, wrong).by(&gallery.user).answer().await.expect(415);
    }
    let packed = put(&products, &product, "image/png", png(5_000, 2)).header("content-encoding", "gzip");
    packed.by(&gallery.user).answer().await.expect(415);
    put(&products, &product, "image/png", png(LARGEST + 1, 2)).by(&gallery.user).answer().await.expect(413);
    let unsaid = in_two(png(5_000, 2), std::future::ready(()), Some(png(10, 1)));
    put(&products, &product, "image/png", unsaid).by(&gallery.user).answer().await.expect(411);

    assert_eq!(shown(&products, &product).await.1, old);
    gallery.has_objects(1).await;
}

#[tokio::test]
async fn an_image_is_changed_by_its_products_user_and_by_admins_alone() {
    let gallery = Gallery::new().await;
    let products = gallery.products().await;
    let product = gallery.product(&products).await;
    let put = |size| put(&products, &product, "image/png", png(size, 1));
    let delete = || products.ask("DELETE", &image_of(&product));
    for size in [100, LARGEST] {
        put(size).answer().await.expect(401);
        put(size).by(user()).answer().await.expect(403);
    }
    delete().answer().await.expect(401);
    put(100).by(admin()).answer().await.expect(200);
    put(200).by(&gallery.user).header("if-match", "\"1\"").answer().await.expect(412);
    put(200).by(&gallery.user).header("if-match", "\"2\"").answer().await.expect(200);
    delete().by(user()).answer().await.expect(403);
    assert_eq!(shown(&products, &product).await.1.len(), 200);
    delete().by(admin()).answer().await.expect(204);
    let nothing = json!({ "product_id": uuid::Uuid::now_v7() });
    crate::pictures::put(&products, &nothing, "image/png", png(9, 1)).by(admin()).answer().await.expect(404);
    gallery.has_objects(0).await;
}

#[tokio::test]
async fn of_images_that_come_at_once_the_last_accepted_one_stays_and_is_there() {
    let gallery = Gallery::new().await;
    let (one, two) = tokio::join!(gallery.products(), gallery.products());
    let product = gallery.product(&one).await;
    let uploads = (0..12).map(|number| {
        let image = png(20_000 + number as usize, number);
        put([&one, &two][number as usize % 2], &product, "image/png", image).by(&gallery.user).answer()
    });
    let reading = async {
        // Whatever is shown meanwhile can be read to its end.
        for _ in 0..20 {
            let answer = two.get(&image_of(&product)).send().await.expect("it answers");
            if answer.status() != 404 {
                assert_eq!(answer.status(), 200);
                answer.bytes().await.expect("it ends in order");
            }
        }
    };
    let (answers, ()) = tokio::join!(join_all(uploads), reading);
    let mut changed: Vec<Value> = answers.into_iter().map(|answer| answer.expect(200).json()).collect();
    changed.sort_by_key(|product| product["version"].as_i64());
    let versions: Vec<_> = changed.iter().map(|product| product["version"].as_i64().expect("a number")).collect();
    assert_eq!(versions, (2..=13).collect::<Vec<_>>(), "each one was accepted once");
    let (etag, _) = shown(&one, &product).await;
    assert_eq!(changed[11]["image"]["etag"], etag);
    gallery.has_objects(1).await;
}

#[tokio::test]
async fn many_large_images_at_once_take_little_memory() {
    const MANY: u64 = 16;
    let gallery = Gallery::new().await;
    let port = testkit::free_port();
    let mut program = Program::cargo_bin("products");
    for (name, value) in gallery.world.settings().into_iter().chain(gallery.settings(gallery.s3.url())) {
        let value = if name == "listen" { format!("127.0.0.1:{port}") } else { value };
        program = program.env(name.replace('-', "_").to_uppercase(), value);
    }
    let program = program.start().await;
    let at = format!("http://127.0.0.1:{port}");
    program.wait_ready(&format!("{at}/ready")).await;

    // Another replica makes products and the bucket.
    let other = gallery.products().await;
    let mut all = Vec::new();
    for number in 0..MANY {
        all.push((number, gallery.product(&other).await));
    }
    let ask = |method: &str, product: &Value| {
        let method = method.parse().expect("a method");
        client().request(method, format!("{at}{}", image_of(product))).by(&gallery.user)
    };
    let begun = peak_of(program.pid());
    let barrier = std::sync::Arc::new(tokio::sync::Barrier::new(MANY as usize));
    let uploads = all.iter().map(|(number, product)| {
        let (image, barrier) = (png(LARGEST, *number), barrier.clone());
        // All of them have sent most of it before one of them is done.
        let wait = async move {
            barrier.wait().await;
        };
        let body = in_two(image.slice(..LARGEST - 1_000), wait, Some(image.slice(LARGEST - 1_000..)));
        ask("PUT", product).header("content-type", "image/png").header("content-length", LARGEST).body(body).answer()
    });
    for answer in join_all(uploads).await {
        answer.expect(200);
    }
    let downloads = all.iter().map(|(number, product)| async {
        let answer = ask("GET", product).send().await.expect("it answers");
        assert!(answer.bytes().await.expect("it ends in order") == png(LARGEST, *number));
    });
    join_all(downloads).await;
    let taken = peak_of(program.pid()) - begun;
    assert!(taken < MANY * LARGEST as u64 / 2, "{MANY} images of 5 MiB took {} KiB", taken / 1024);
    assert_eq!(program.sigterm().await, 0);
}

/// The most memory that a process has had so far, in bytes.
fn peak_of(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process is there");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("it has memory");
    peak.trim().trim_end_matches("kB").trim().parse::<u64>().expect("it is a number") * 1024
}

#[tokio::test]
async fn without_a_storage_there_are_no_images_and_all_else() {
    let world = World::new().await;
    let products = world.products().await;
    let user = user();
    let product = products.created(&user, &world.owners.of(&user), 1).await;
    for request in [
        products.get(&image_of(&product)),
        put(&products, &product, "image/png", png(100, 1)),
        products.ask("DELETE", &image_of(&product)),
    ] {
        let refused = request.by(&user).answer().await.expect(503).json();
        assert_eq!(refused["detail"], "no object storage is configured");
    }
    let health = products.get("/health").answer().await.expect(200).json();
    assert_eq!(health["dependencies"]["s3"], Value::Null);
}
