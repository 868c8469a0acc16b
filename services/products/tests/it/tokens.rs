//! Who may write.

use crate::support::{Ask, World, admin, named, path, teapot, user};

#[tokio::test]
async fn writes_need_a_token_and_reads_do_not() {
    let world = World::new().await;
    let owner = world.owners.of(&user());
    for arguments in [&[][..], &["--environment=production", "--jwt-secret=0123456789abcdef0123456789abcdef"]] {
        let products = world.products_with(arguments).await;
        let nothing = serde_json::json!({ "product_id": uuid::Uuid::now_v7() });
        for request in [
            products.post(&teapot(&owner, 1)),
            products.put(&nothing, &named("Cup")),
            products.change_stock(&nothing, 1),
            products.delete(&nothing),
            products.ask("POST", "/admin/replay"),
            products.post(&teapot(&owner, 1)).bearer_auth("x.y.z"),
        ] {
            assert!(request.answer().await.expect(401).header("www-authenticate").starts_with("Bearer"));
        }
        products.get("/v1/products").answer().await.expect(200);
        products.get("/v1/products").bearer_auth("x.y.z").answer().await.expect(200);
        products.get(&path(&nothing)).answer().await.expect(404);
    }
}

#[tokio::test]
async fn a_product_is_changed_by_its_owners_user_and_by_admins_alone() {
    let world = World::new().await;
    let products = world.products().await;
    let (user, other, admin) = (user(), user(), admin());
    let owner = world.owners.of(&user);
    products.post(&teapot(&owner, 1)).by(&other).answer().await.expect(403);
    let product = products.created(&admin, &owner, 1).await;

    for request in
        [products.put(&product, &named("Cup")), products.change_stock(&product, 1), products.delete(&product)]
    {
        request.by(&other).answer().await.expect(403);
    }
    assert_eq!(products.get(&path(&product)).answer().await.expect(200).json(), product);
    for who in [&user, &admin] {
        products.change_stock(&product, 1).by(who).answer().await.expect(200);
    }
    products.put(&product, &named("Cup")).by(&user).answer().await.expect(200);
    products.delete(&product).by(&user).answer().await.expect(204);
}
