//! The same journeys against the containers of `docker-compose.yml`.

mod project;

use system_tests::{Ask, journeys};

use crate::project::Project;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs docker compose; run by ./dev test --compose"]
async fn every_journey_works_with_docker_compose_and_again_with_the_profile_full() {
    let project = Project::up().await;
    all_journeys(&project).await;
    project.site().read(SEARCH).answer().await.expect(503);

    project.put_on_full().await;
    all_journeys(&project).await;
    project.site().read(SEARCH).answer().await.expect(200);
    project.bridge().get("/ready").answer().await.expect(200);
}

const SEARCH: &str = "/search?q=anything&kind=products";

async fn all_journeys(project: &Project) {
    journeys::all(project.site()).await;
    journeys::a_user_registers_looks_around_and_leaves(project.gateway(), project.site()).await;
    journeys::an_order_is_confirmed_and_seen_on_the_dashboard(project.gateway()).await;
}
