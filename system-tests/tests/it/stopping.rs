//! Told to stop under load, both programs finish what they have begun.

use crate::audit::audit;
use crate::load::Load;
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn told_to_stop_under_load_both_programs_finish_what_they_have_begun() {
    let world = World::with(&[]).await;
    let mut load = Load::start(&world.site);
    for reached in [500, 1_500] {
        load.reaches(reached).await;
        world.consumer.stop().await;
        world.consumer.start_again().await;
        load.reaches(reached + 500).await;
        world.producer.stop().await;
        world.producer.start_again().await;
    }
    load.reaches(3_000).await;
    let writes = load.finish().await;
    world.settled().await;
    audit(&world, &writes).await;
    assert_eq!(world.counters.redelivered().await, 0, "what was done was delivered again");
}
