//! Three ways to the same answer: asking for it directly, through nginx, through the gateway.

use std::net::SocketAddr;
use std::time::Duration;

use hyper::Uri;
use hyper::header::HeaderValue;

use super::Bench;
use crate::cpu::Cpu;
use crate::load::{Load, Pattern, Requests, Tally};
use crate::report::Figure;
use crate::stage::User;

/// The same for all three.
pub(super) const CONNECTIONS: usize = 64;

/// A way to an answer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    Direct,
    Nginx,
    Gateway,
}

impl Way {
    pub(super) const ALL: [Self; 3] = [Self::Direct, Self::Nginx, Self::Gateway];

    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Direct => "directly",
            Self::Nginx => "through nginx",
            Self::Gateway => "through the gateway",
        }
    }
}

/// Something that can be read in three ways.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) name: &'static str,
    /// Where each way begins, and the path there.
    ways: [(SocketAddr, Uri); 3],
    authorization: Option<HeaderValue>,
}

impl Route {
    /// A user, who asks with a token, from the producer and its database.
    pub(super) fn user(
        producer: SocketAddr,
        nginx: SocketAddr,
        gateway: SocketAddr,
        user: &User,
    ) -> anyhow::Result<Self> {
        let direct = Uri::try_from(format!("/users/{}", user.id))?;
        let public = Uri::try_from(format!("/api/users/{}", user.id))?;
        Ok(Self {
            name: "GET /api/users/{id}",
            ways: [(producer, direct), (nginx, public.clone()), (gateway, public)],
            authorization: Some(HeaderValue::try_from(format!("Bearer {}", user.token))?),
        })
    }

    /// A page that costs next to nothing, and needs no token.
    pub(super) fn page(page: SocketAddr, nginx: SocketAddr, gateway: SocketAddr) -> Self {
        let (direct, public) = (Uri::from_static("/v1/products/1"), Uri::from_static("/api/products/1"));
        Self {
            name: "GET /api/products/1, a fixed page",
            ways: [(page, direct), (nginx, public.clone()), (gateway, public)],
            authorization: None,
        }
    }

    /// Where a way begins, and the path there.
    pub(super) fn way(&self, way: Way) -> &(SocketAddr, Uri) {
        &self.ways[way as usize]
    }

    pub(super) fn load(&self, way: Way, pattern: Pattern, lasts: Duration) -> Load {
        let (to, uri) = self.way(way).clone();
        let requests = Requests::Read { uri, authorization: self.authorization.clone() };
        Load { to, requests, connections: CONNECTIONS, pattern, lasts }
    }
}

/// What came of one way.
#[derive(Default)]
pub(super) struct Taken {
    rounds: Vec<Tally>,
    pub(super) cpu: Cpu,
}

impl Taken {
    pub(super) fn rate(&self) -> Figure {
        Figure::new("req/s", self.rounds.iter().map(Tally::rate).collect())
    }

    pub(super) fn latency(&self, share: f64) -> Figure {
        Figure::new("ms", self.rounds.iter().map(|tally| tally.latencies.quantile_ms(share)).collect())
    }

    /// How much longer the requests took than those of another way, round by round.
    pub(super) fn added(&self, share: f64, other: &Self) -> Figure {
        let (ours, theirs) = (self.latency(share), other.latency(share));
        Figure::new("ms", ours.samples().iter().zip(theirs.samples()).map(|(ours, theirs)| ours - theirs).collect())
    }

    /// Processor time that a process took for each request, in microseconds.
    pub(super) fn cost(&self, process: &str) -> f64 {
        let requests: u64 = self.rounds.iter().map(|tally| tally.accepted).sum();
        1e6 * self.cpu.seconds_of(process) / requests.max(1) as f64
    }
}

/// What came of each.
#[derive(Default)]
pub(super) struct Ways([Taken; 3]);

impl Ways {
    pub(super) fn of(&self, way: Way) -> &Taken {
        &self.0[way as usize]
    }

    /// In turns, and who is first changes from round to round.
    pub(super) async fn measure(bench: &Bench, route: &Route, pattern: Pattern, how: &str) -> anyhow::Result<Self> {
        let (rounds, lasts) = (bench.plan.rounds, bench.plan.round);
        let mut ways = Self::default();
        for round in 0..rounds {
            for turn in 0..Way::ALL.len() {
                let way = Way::ALL[(round + turn) % Way::ALL.len()];
                let (name, by) = (route.name, way.words());
                bench.progress.now(format!("round {} of {rounds}: {name} {by}, {how}", round + 1));
                let Taken { rounds, cpu } = &mut ways.0[way as usize];
                let tally = cpu.during(&bench.stage, route.load(way, pattern, lasts).run()).await?;
                tally.all_accepted()?;
                rounds.push(tally);
            }
        }
        Ok(ways)
    }
}
