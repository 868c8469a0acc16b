//! A product as orders reads it: from its cache in Redis, beside products by gRPC, and beside Redis by itself.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Parser;
use client::grpc::{GrpcCallArgs, GrpcServices};
use client::{CallArgs, RegistryArgs};
use contracts::products::ProductState;
use proto::v1::GetProductsRequest;
use proto::v1::product_service_client::ProductServiceClient;
use redis::aio::ConnectionManager;
use redis::{Client, cmd};
use serde::Deserialize;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Bench;
use super::shop::Market;
use crate::cpu::Cpu;
use crate::load::Latencies;
use crate::report::{Figure, Line};
use crate::stage::Stage;

/// How many ask at the same time, over one connection.
const ASKERS: usize = 64;

/// How many products are asked for together.
const TOGETHER: [usize; 2] = [1, 10];

/// The settings of calls, as a program has them.
#[derive(Parser)]
struct Calls {
    #[command(flatten)]
    registry: RegistryArgs,
    #[command(flatten)]
    calls: CallArgs,
    #[command(flatten)]
    grpc: GrpcCallArgs,
}

/// What orders keeps of a product.
#[derive(Deserialize)]
struct Cached {
    product: Option<ProductState>,
}

/// A way to products.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// The cache, and what is there is read.
    Cache,
    /// The same bytes, which nobody reads.
    Redis,
    /// A call of products.
    Grpc,
}

impl Way {
    const ALL: [Self; 3] = [Self::Cache, Self::Redis, Self::Grpc];

    fn words(self) -> &'static str {
        match self {
            Self::Cache => "from the cache",
            Self::Redis => "the same bytes from Redis, unread",
            Self::Grpc => "from products by gRPC",
        }
    }
}

/// Asks for products. Cheap to clone.
#[derive(Clone)]
struct Asker {
    redis: ConnectionManager,
    services: GrpcServices,
    products: Arc<[Uuid]>,
}

/// What came of one way.
#[derive(Default)]
struct Taken {
    rates: Vec<f64>,
    /// Of one who asks alone.
    alone: Vec<Latencies>,
    cpu: Cpu,
}

pub(super) async fn measure(bench: &Bench, market: &Market) -> anyhow::Result<Vec<Line>> {
    let stop = CancellationToken::new();
    let _stopped = stop.clone().drop_guard();
    let asker = Asker::new(&bench.stage, market, &stop).await?;
    let (rounds, lasts) = (bench.plan.rounds, bench.plan.trial);
    let mut lines = Vec::new();
    for together in TOGETHER {
        let mut taken: [Taken; 3] = Default::default();
        for round in 0..rounds {
            for turn in 0..Way::ALL.len() {
                let way = Way::ALL[(round + turn) % Way::ALL.len()];
                bench.progress.now(format!("round {} of {rounds}: products {}", round + 1, way.words()));
                let Taken { rates, alone, cpu } = &mut taken[way as usize];
                alone.push(asker.asked(way, together, 1, lasts).await?.1);
                rates.push(cpu.during(&bench.stage, asker.asked(way, together, ASKERS, lasts)).await?.0);
            }
        }
        lines.extend(told(&taken, together));
    }
    Ok(lines)
}

impl Asker {
    /// With the same clients as orders has, and the same settings.
    async fn new(stage: &Stage, market: &Market, stop: &CancellationToken) -> anyhow::Result<Self> {
        let products = format!("--grpc-urls=products=http://{}", market.shop.products_grpc);
        let Calls { registry, calls, grpc } = Calls::try_parse_from(["bench", "--registry-url=", &products])?;
        let services = GrpcServices::start(&registry, &calls, &grpc, "bench", stop)?;
        let redis = ConnectionManager::new(Client::open(stage.redis_url())?).await?;
        let asker = Self { redis, services, products: market.products.as_slice().into() };
        for way in Way::ALL {
            for product in &*asker.products {
                asker.ask(way, &[*product]).await.with_context(|| format!("a product {}", way.words()))?;
            }
        }
        Ok(asker)
    }

    /// Has so many ask for so long, one request after the other each: how many a second are answered, and after how long.
    async fn asked(
        &self,
        way: Way,
        together: usize,
        askers: usize,
        lasts: Duration,
    ) -> anyhow::Result<(f64, Latencies)> {
        let begun = Instant::now();
        let mut asking = JoinSet::new();
        for number in 0..askers {
            let asker = self.clone();
            asking.spawn(async move {
                let mut latencies = Latencies::default();
                // Not all the same at the same time.
                let mut ids = asker.products.iter().copied().cycle().skip(number * asker.products.len() / askers);
                while begun.elapsed() < lasts {
                    let ids: Vec<Uuid> = ids.by_ref().take(together).collect();
                    let asked = Instant::now();
                    asker.ask(way, &ids).await?;
                    latencies.record(asked.elapsed());
                }
                anyhow::Ok(latencies)
            });
        }
        let mut latencies = Latencies::default();
        while let Some(asked) = asking.join_next().await {
            latencies.add(&asked.context("who asks panicked")??);
        }
        Ok((latencies.len() as f64 / begun.elapsed().as_secs_f64(), latencies))
    }

    async fn ask(&self, way: Way, ids: &[Uuid]) -> anyhow::Result<()> {
        let found = match way {
            Way::Grpc => self.call(ids).await?.len(),
            Way::Cache => {
                let texts: Vec<Option<String>> = self.redis(ids).await?;
                let cached = |text: Option<String>| serde_json::from_str::<Cached>(&text?).ok()?.product;
                texts.into_iter().filter_map(cached).collect::<Vec<_>>().len()
            }
            Way::Redis => self.redis::<Vec<Option<Vec<u8>>>>(ids).await?.iter().flatten().count(),
        };
        ensure!(found == ids.len(), "of {} products {found} were there", ids.len());
        Ok(())
    }

    async fn redis<T: redis::FromRedisValue>(&self, ids: &[Uuid]) -> anyhow::Result<T> {
        let keys: Vec<String> = ids.iter().map(|id| format!("product:{id}")).collect();
        Ok(cmd("MGET").arg(keys).query_async(&mut self.redis.clone()).await?)
    }

    async fn call(&self, ids: &[Uuid]) -> anyhow::Result<Vec<ProductState>> {
        let mut products = ProductServiceClient::new(self.services.channel("products").idempotent());
        let product_ids = ids.iter().map(Uuid::to_string).collect();
        let answer = products.get_products(GetProductsRequest { product_ids }).await?.into_inner();
        let read: Result<Vec<ProductState>, _> = answer.products.into_iter().map(TryInto::try_into).collect();
        Ok(read?)
    }
}

fn told(taken: &[Taken; 3], together: usize) -> [Line; 3] {
    let rate = |way: Way| Figure::new("req/s", taken[way as usize].rates.clone());
    let alone = |way: Way| {
        let median = |latencies: &Latencies| latencies.quantile_ms(0.5);
        Figure::new("ms", taken[way as usize].alone.iter().map(median).collect())
    };
    let what = if together == 1 { "a product".to_owned() } else { format!("{together} products") };
    let against = |other: Way| {
        let line = Line::new(format!("{what} {}, {ASKERS} ask", Way::Cache.words()), rate(Way::Cache));
        line.beside(other.words(), rate(other))
    };
    let processors =
        |line: Line, way: Way| line.note(format!("processors, {}: {}", way.words(), taken[way as usize].cpu.words()));
    [
        Way::ALL.into_iter().fold(against(Way::Grpc), processors),
        against(Way::Redis),
        Line::new(format!("{what} {}, one asks, p50", Way::Cache.words()), alone(Way::Cache))
            .beside(Way::Grpc.words(), alone(Way::Grpc)),
    ]
}
