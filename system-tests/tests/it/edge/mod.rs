//! The system as its users reach it: two gateways before two producers and two consumers, which find each other by a registry.

mod burst;
mod hanging;
mod journey;
mod killing;
mod reading;
mod registry;
mod restarting;

use std::collections::BTreeMap;

use futures_util::future::join_all;
use serde_json::{Value, json};
use system_tests::{Ask, Site};
use testkit::{TestRedis, eventually};
use uuid::Uuid;

use self::reading::Readers;
use crate::load::{Failed, Load, Wish, Write};
use crate::server::{Kind, Servers};
use crate::world::{ADMIN, Process, SECRETS, World};

/// All of it. Its first producer and consumer are those of the world.
pub(crate) struct Edge {
    world: World,
    producer: Process,
    consumer: Process,
    gateways: [Process; 2],
    registry: Process,
    registrys_redis: TestRedis,
    /// The access token of the first admin, who may do everything.
    admin: String,
    /// What there is before the load: the admin, and a record.
    there: Vec<Write>,
    /// What can be read of that.
    readable: Vec<String>,
}

impl Edge {
    /// Starts it as for production, with these settings for all programs; waits until the gateways know everybody.
    async fn start(settings: &[(&str, &str)]) -> Self {
        let (servers, registrys_redis) = tokio::join!(Servers::with(&[]), testkit::redis());
        let set = |process: Process| process.set(&SECRETS).set(settings);
        let registry = set(Process::new("registry").env("REDIS_URL", registrys_redis.url()));
        let registry_url = registry.base().to_owned();
        let known = |process: Process| set(process.env("REGISTRY_URL", &registry_url));
        let gateway = || Process::new("gateway").env("REDIS_URL", servers.url(Kind::Redis)).env("RATE_LIMIT", "0");
        let producer = || servers.producer().env("ADMIN_EMAIL", ADMIN.0).env("ADMIN_PASSWORD", ADMIN.1);
        let (first_producer, first_consumer) = (known(producer()), known(servers.consumer().await));
        let (producer, consumer) = (known(producer()), known(servers.consumer().await));
        let (one, other) = (known(gateway()), known(gateway()));

        // In no order: each of them waits for what it needs, or does without.
        let (world, producer, consumer, one, other, registry) = tokio::join!(
            World::of(servers, first_producer, first_consumer),
            producer.start(),
            consumer.start(),
            one.start(),
            other.start(),
            registry.start(),
        );
        let mut edge = Self {
            world,
            producer,
            consumer,
            gateways: [one, other],
            registry,
            registrys_redis,
            admin: String::new(),
            there: Vec::new(),
            readable: Vec::new(),
        };
        edge.known_to_gateways().await;
        edge.prepare().await;
        edge
    }

    async fn prepare(&mut self) {
        let login = json!({ "email": ADMIN.0, "password": ADMIN.1 });
        let login = Site::behind(self.gateways[0].base()).post("/auth/login", &login).answer().await.expect(200).json();
        self.admin = login["access_token"].as_str().expect("tokens are text").to_owned();
        let admin: Uuid = login["user"]["user_id"].as_str().and_then(|id| id.parse().ok()).expect("users have ids");
        // No client has asked for the admin, so none was told of the task.
        let task = sqlx::query_scalar("SELECT id FROM tasks").fetch_one(&self.world.servers.postgres()).await;
        let task = task.expect("there is one task, that of the admin");
        self.there.push(Write { wish: Wish::User(admin, Some("Admin".to_owned())), task: Some(task) });

        let record = json!({ "SRN": "K1", "Name": "Ada Lovelace", "Section": "B" });
        let task = self.behind(0).post("/records", &record).effect().await.id("task_id");
        self.there
            .push(Write { wish: Wish::Record("K1".to_owned(), Some("Ada Lovelace".to_owned())), task: Some(task) });
        let paths = [format!("/users/{admin}"), format!("/user/{admin}/dashboard"), format!("/tasks/{task}")];
        self.readable = paths.into_iter().chain(["/records/K1".to_owned()]).collect();
    }

    fn producers(&self) -> [&Process; 2] {
        [&self.world.producer, &self.producer]
    }

    fn consumers(&self) -> [&Process; 2] {
        [&self.world.consumer, &self.consumer]
    }

    /// Stops all that still runs; none of it may ever have panicked.
    async fn stop(&self) {
        let all = self.gateways.iter().chain(self.producers()).chain(self.consumers()).chain([&self.registry]);
        join_all(all.map(async |process| {
            process.stop().await;
            assert!(!process.logs().contains("panicked"), "{}", process.logs());
        }))
        .await;
    }

    /// What is behind one of the gateways, asked by the admin.
    fn behind(&self, gateway: usize) -> Site {
        Site::behind(&format!("{}/api", self.gateways[gateway].base())).with_token(&self.admin)
    }

    /// Writes that go on through both gateways.
    fn load(&self, failed: Failed) -> Load {
        Load::through(vec![self.behind(0), self.behind(1)], failed)
    }

    /// Reads that go on through one gateway, none of which may fail.
    fn readers(&self, gateway: usize) -> Readers {
        Readers::start(&self.behind(gateway), &self.readable)
    }

    /// The instances that a gateway knows: the state of the breaker by service and address.
    async fn instances(&self, gateway: &Process) -> BTreeMap<(String, String), String> {
        let status = Site::behind(gateway.base()).get("/status").answer().await.expect(200).json();
        let instances = status["details"]["instances"].as_array().expect("it tells of the instances").clone();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let instance = |is: &Value| ((text(&is["service"]), text(&is["address"])), text(&is["breaker"]));
        instances.iter().map(instance).collect()
    }

    /// Waits until each gateway knows all there are, and nobody else.
    async fn known_to_gateways(&self) {
        for gateway in &self.gateways {
            eventually("the gateway knows producers, consumers and gateways", async || {
                let known = self.instances(gateway).await;
                let count = |service| known.keys().filter(|(name, _)| name == service).count();
                (["producer", "consumer", "gateway"].map(count) == [2, 2, 2]).then_some(())
            })
            .await;
        }
    }
}
