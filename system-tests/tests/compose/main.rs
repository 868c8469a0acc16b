//! The same journeys against the containers of `docker-compose.yml`.

mod project;

use system_tests::journeys;

use crate::project::Project;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs docker compose; run by ./dev test --compose"]
async fn every_journey_works_with_docker_compose() {
    let project = Project::up().await;
    journeys::all(project.site()).await;
    journeys::a_user_registers_looks_around_and_leaves(project.gateway(), project.site()).await;
}
