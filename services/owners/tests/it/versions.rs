//! Changes that are meant for a version, and changes at the same time.

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{Ask, World, at, path, user};

#[tokio::test]
async fn a_change_that_is_meant_for_another_version_is_refused() {
    let world = World::new().await;
    let owners = world.owners().await;
    let user = user();
    let owner = owners.created(&user).await;
    let change = |tag: &str, address| owners.put(&owner, &at(address)).header("if-match", tag).by(&user);

    change("\"2\"", "never").answer().await.expect(412);
    change("\"1\"", "second").answer().await.expect(200);
    change("\"1\"", "never").answer().await.expect(412);
    change("*", "third").answer().await.expect(200);
    owners.delete(&owner).header("if-match", "\"2\"").by(&user).answer().await.expect(412);
    owners.delete(&owner).header("if-match", "\"3\"").by(&user).answer().await.expect(204);
}

#[tokio::test]
async fn the_same_again_is_no_change() {
    let world = World::new().await;
    let owners = world.owners().await;
    let user = user();
    let owner = owners.created(&user).await;
    for _ in 0..2 {
        let changed = owners.put(&owner, &at("new")).by(&user).answer().await.expect(200).json();
        assert_eq!(changed["version"], 2);
    }
    world.events(2).await;
}

#[tokio::test]
async fn changes_at_the_same_time_all_happen_one_after_the_other_over_two_replicas() {
    let world = World::new().await;
    let (one, two) = tokio::join!(world.owners(), world.owners());
    let user = user();
    let owner = one.created(&user).await;
    let changes = (0..8).map(|n| {
        let replica = if n % 2 == 0 { &one } else { &two };
        replica.put(&owner, &at(&format!("number {n}"))).by(&user).answer()
    });
    let mut versions: Vec<_> =
        join_all(changes).await.into_iter().map(|answer| answer.expect(200).json()["version"].clone()).collect();
    versions.sort_by_key(|version| version.as_i64());
    assert_eq!(versions, (2..=9).map(|version| json!(version)).collect::<Vec<_>>());
    assert_eq!(two.get(&path(&owner)).answer().await.expect(200).json()["version"], 9);

    let mut told: Vec<_> = world.events(9).await.into_iter().map(|(_, _, version)| version).collect();
    told.sort_unstable();
    told.dedup();
    assert_eq!(told, (1..=9).collect::<Vec<_>>(), "each version is told of");
}

#[tokio::test]
async fn of_those_who_know_the_same_version_one_changes_it() {
    let world = World::new().await;
    let owners = world.owners().await;
    let user = user();
    let owner = owners.created(&user).await;
    let changes =
        (0..5).map(|n| owners.put(&owner, &at(&format!("number {n}"))).header("if-match", "\"1\"").by(&user).answer());
    let mut statuses: Vec<_> = join_all(changes).await.into_iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412, 412, 412, 412]);
}
