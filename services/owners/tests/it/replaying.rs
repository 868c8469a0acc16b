//! Everything is told again.

use serde_json::json;

use crate::support::{Ask, World, admin, at, id, user};

#[tokio::test]
async fn an_admin_has_the_present_state_of_every_owner_told_again() {
    let world = World::new().await;
    let owners = world.owners().await;
    let (user, admin) = (user(), admin());
    let mut all = Vec::new();
    for _ in 0..3 {
        all.push(owners.created(&user).await);
    }
    owners.put(&all[1], &at("elsewhere")).by(&user).answer().await.expect(200);
    owners.delete(&all[2]).by(&user).answer().await.expect(204);
    world.events(5).await;

    owners.ask("POST", "/admin/replay").by(&user).answer().await.expect(403);
    let report = owners.ask("POST", "/admin/replay").by(&admin).answer().await.expect(200).json();
    assert_eq!(report, json!({ "documents": 3, "confirmed": 3, "failed": 0, "unreadable": 0 }));
    let mut again = world.events(8).await.split_off(5);
    again.sort();
    let mut wanted = [("owner.created", 0, 1), ("owner.updated", 1, 2), ("owner.deleted", 2, 2)]
        .map(|(kind, at, version)| (kind.to_owned(), id(&all[at]).to_owned(), version));
    wanted.sort();
    assert_eq!(again, wanted);

    let rest = format!("/admin/replay?after={}", id(&all[1]));
    let report = owners.ask("POST", &rest).by(&admin).answer().await.expect(200).json();
    assert_eq!(report["documents"], 1);
}
