//! Who may write.

use crate::support::{Ask, World, admin, at, grace, path, user};

#[tokio::test]
async fn writes_need_a_token_and_reads_do_not() {
    let world = World::new().await;
    for arguments in [&[][..], &["--environment=production", "--jwt-secret=0123456789abcdef0123456789abcdef"]] {
        let owners = world.owners_with(arguments).await;
        let nobody = serde_json::json!({ "owner_id": uuid::Uuid::now_v7() });
        for request in [
            owners.post(&grace()),
            owners.put(&nobody, &grace()),
            owners.delete(&nobody),
            owners.ask("POST", "/admin/replay"),
            owners.post(&grace()).bearer_auth("x.y.z"),
        ] {
            assert!(request.answer().await.expect(401).header("www-authenticate").starts_with("Bearer"));
        }
        owners.get("/v1/owners").answer().await.expect(200);
        owners.get("/v1/owners").bearer_auth("x.y.z").answer().await.expect(200);
        owners.get(&path(&nobody)).answer().await.expect(404);
    }
}

#[tokio::test]
async fn an_owner_is_changed_by_its_user_and_by_admins_alone() {
    let world = World::new().await;
    let owners = world.owners().await;
    let (user, other, admin) = (user(), user(), admin());
    let owner = owners.created(&user).await;

    owners.put(&owner, &at("elsewhere")).by(&other).answer().await.expect(403);
    owners.delete(&owner).by(&other).answer().await.expect(403);
    assert_eq!(owners.get(&path(&owner)).answer().await.expect(200).json(), owner);

    let changed = owners.put(&owner, &at("elsewhere")).by(&admin).answer().await.expect(200).json();
    assert_eq!(changed["created_by"], owner["created_by"], "it still belongs to its user");
    owners.put(&owner, &at("home again")).by(&user).answer().await.expect(200);
    owners.delete(&owner).by(&admin).answer().await.expect(204);
}

#[tokio::test]
async fn a_session_that_has_ended_writes_no_more() {
    let world = World::new().await;
    let owners = world.owners().await;
    let user = user();
    owners.created(&user).await;
    let key = contracts::sessions::ended_session_key(user.session);
    let mut redis = world.redis.connection().await;
    let _: () = redis::cmd("SET").arg(key).arg("1").query_async(&mut redis).await.unwrap();
    owners.post(&grace()).by(&user).answer().await.expect(401);
}
