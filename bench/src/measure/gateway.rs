//! The gateway beside nginx as a proxy of the same routes, and beside asking directly.

use super::Bench;
use super::ways::{CONNECTIONS, Route, Way, Ways};
use crate::beside::nginx;
use crate::load::Pattern;
use crate::report::{Figure, Goal, Line};

const GOAL: Goal = Goal::AtLeast(0.7);
/// What the gateway may add to the p99 at half load.
const ADDED_MS: f64 = 1.0;

pub(super) async fn measure(bench: &mut Bench) -> anyhow::Result<Vec<Line>> {
    let nginx = nginx::version()?;
    bench.progress.now("starting registry, gateway and nginx");
    let (user, page) = routes(bench).await?;
    let mut lines = both(bench, &user, &nginx, true).await?;
    // The producer is not in its way, and neither is what the gateway asks for a token: what is left is passing on.
    lines.extend(both(bench, &page, &nginx, false).await?);
    Ok(lines)
}

/// Starts what is measured.
async fn routes(bench: &mut Bench) -> anyhow::Result<(Route, Route)> {
    let name = bench.load_name();
    let stage = &mut bench.stage;
    let page = nginx::start_page(stage).await?;
    let gateway = stage.start_gateway(page).await?;
    let proxy = nginx::start_proxy(stage, page).await?;
    let user = stage.log_in(&name).await?;
    let routes = (Route::user(stage.producer(), proxy, gateway, &user)?, Route::page(page, proxy, gateway));
    for (at, uri) in Way::ALL.map(|way| routes.0.way(way)) {
        stage.serves(*at, uri.path(), &user).await?;
    }
    stage.settle().await?;
    Ok(routes)
}

/// As fast as it goes, and at half of what the gateway can do.
async fn both(bench: &Bench, route: &Route, nginx: &str, has_goals: bool) -> anyhow::Result<Vec<Line>> {
    for way in Way::ALL {
        bench.progress.now(format!("warming up: {} {}", route.name, way.words()));
        route.load(way, Pattern::Closed, bench.plan.trial).run().await?.all_accepted()?;
    }
    let most = Ways::measure(bench, route, Pattern::Closed, "as fast as it goes").await?;
    let half = most.of(Way::Gateway).rate().median() / 2.0;
    let calm = Ways::measure(bench, route, Pattern::Open(half), &format!("{half:.0} a second")).await?;

    let name = route.name;
    let rate = |way| most.of(way).rate();
    let through = Line::new(format!("{name} through the gateway"), rate(Way::Gateway));
    let mut through = costs(through.beside(format!("through {nginx}"), rate(Way::Nginx)), &most);
    let added = |way: Way, what: &str| {
        let p99 = calm.of(way).added(0.99, calm.of(Way::Direct));
        Line::new(format!("{name}, {what} adds to the p99 at {half:.0} req/s"), p99)
    };
    let mut by_gateway = latencies(added(Way::Gateway, "the gateway"), &calm);
    if has_goals {
        through = through.goal(GOAL);
        by_gateway = by_gateway.beside("goal", Figure::new("ms", vec![ADDED_MS])).goal(Goal::AtMost(1.0));
    }
    Ok(vec![
        through,
        Line::new("the same beside asking directly", rate(Way::Gateway)).beside("directly", rate(Way::Direct)),
        by_gateway,
        added(Way::Nginx, "nginx"),
    ])
}

/// Who used the processors each way, and what the proxies needed for a request.
fn costs(line: Line, ways: &Ways) -> Line {
    let (gateway, nginx) = (ways.of(Way::Gateway).cost("gateway"), ways.of(Way::Nginx).cost(nginx::PROXY));
    let line = line.note(format!(
        "{CONNECTIONS} connections; processor time for a request: gateway {gateway:.0} µs, nginx {nginx:.0} µs"
    ));
    let way = |line: Line, way: Way| line.note(format!("processors, {}: {}", way.words(), ways.of(way).cpu.words()));
    Way::ALL.into_iter().fold(line, way)
}

fn latencies(line: Line, ways: &Ways) -> Line {
    let way = |line: Line, way: Way| {
        let taken = ways.of(way);
        let [p50, p99] = [0.5, 0.99].map(|share| taken.latency(share).words());
        line.note(format!("{}: p50 {p50}, p99 {p99}; processors: {}", way.words(), taken.cpu.words()))
    };
    Way::ALL.into_iter().fold(line, way)
}
