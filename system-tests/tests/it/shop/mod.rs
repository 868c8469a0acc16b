//! The shop: owners, products, orders and payments as processes of their own, beside the producer, who knows the users.

mod audit;
mod buying;
mod journey;
mod killing;
mod replaying;
mod steady;
mod stored;

use futures_util::future::join_all;
use mongodb::Database;
use serde_json::json;
use system_tests::{Ask, Site};
use testkit::{TestMongo, eventually};

use crate::server::{Kind, Servers};
use crate::world::{ADMIN, Process, SECRETS};

/// What is down is tried again soon, and what is slow on a busy machine is not taken for down, nor given up.
const PATIENCE: [(&str, &str); 3] = [("BREAKER_OPEN", "1"), ("GRPC_TIMEOUT", "10"), ("ORDER_TIMEOUT", "180")];

/// The services, each with a database of its own.
pub(crate) struct Services {
    pub(crate) owners: Process,
    pub(crate) products: Process,
    pub(crate) orders: Process,
    pub(crate) payments: Process,
    databases: [TestMongo; 4],
}

impl Services {
    /// On these servers, with what is set for all programs. Not started.
    pub(crate) async fn on(servers: &Servers, set: impl Fn(Process) -> Process) -> Self {
        let database = testkit::mongodb;
        let (owners, products, orders, payments) = tokio::join!(database(), database(), database(), database());
        let service = |name: &str, database: &TestMongo| {
            let service = set(Process::new(name))
                .env("MONGODB_URL", servers.url(Kind::Mongodb))
                .env("AMQP_URL", servers.url(Kind::Rabbitmq))
                .env("REDIS_URL", servers.url(Kind::Redis));
            service.env(&format!("{}_DATABASE", name.to_uppercase()), database.name())
        };
        Self {
            owners: service("owners", &owners).with_grpc(),
            products: service("products", &products).with_grpc(),
            orders: service("orders", &orders).with_grpc(),
            payments: service("payments", &payments),
            databases: [owners, products, orders, payments],
        }
    }

    pub(crate) fn all(&self) -> [&Process; 4] {
        [&self.orders, &self.payments, &self.products, &self.owners]
    }

    fn database_of(&self, number: usize) -> Database {
        self.databases[number].database()
    }
}

/// All that a shop needs. Programs find each other by the registry.
pub(crate) struct Shop {
    services: Services,
    producer: Process,
    gateway: Process,
    registry: Process,
    servers: Servers,
}

impl Shop {
    /// With these servers private. Starts all as for production, and waits until the registry knows everybody.
    async fn start(private: &[Kind]) -> Self {
        let servers = Servers::with(private).await;
        let registry = Process::new("registry").set(&SECRETS).env("REDIS_URL", servers.url(Kind::Redis));
        let set = |process: Process| process.set(&SECRETS).set(&PATIENCE).env("REGISTRY_URL", registry.base());
        let producer = set(servers.producer()).env("ADMIN_EMAIL", ADMIN.0).env("ADMIN_PASSWORD", ADMIN.1);
        let gateway = set(Process::new("gateway")).env("REDIS_URL", servers.url(Kind::Redis)).env("RATE_LIMIT", "0");
        let services = Services::on(&servers, set).await;
        let shop = Self { services, producer, gateway, registry, servers };
        join_all(shop.all().map(Process::start_again)).await;
        if shop.servers.is_private(Kind::Rabbitmq) {
            shop.servers.private(Kind::Rabbitmq).save_declarations().await;
        }
        shop.is_known().await;
        shop
    }

    /// In the order they are stopped in.
    fn all(&self) -> [&Process; 7] {
        let [orders, payments, products, owners] = self.services.all();
        [&self.gateway, orders, payments, products, owners, &self.producer, &self.registry]
    }

    /// Waits until the registry knows of everybody.
    async fn is_known(&self) {
        let names = ["gateway", "producer", "owners", "products", "orders", "payments"];
        eventually("the registry knows everybody", async || {
            let services = Site::behind(self.registry.base()).get("/services").answer().await.expect(200).json();
            let healthy = |name: &str| services["services"][name][0]["healthy"] == true;
            names.into_iter().all(healthy).then_some(())
        })
        .await;
    }

    /// Waits until the gateway has found everybody it passes requests on to.
    async fn is_open(&self) {
        eventually("the gateway knows everybody", async || {
            let status = self.gateway().get("/status").answer().await.expect(200).json();
            let instances = status["details"]["instances"].as_array().expect("it tells of the instances").clone();
            let knows = |name: &&str| instances.iter().any(|instance| instance["service"] == **name);
            ["producer", "owners", "products", "orders"].iter().all(knows).then_some(())
        })
        .await;
    }

    fn gateway(&self) -> Site {
        Site::behind(self.gateway.base())
    }

    fn owners(&self) -> Database {
        self.services.database_of(0)
    }

    fn products(&self) -> Database {
        self.services.database_of(1)
    }

    fn orders(&self) -> Database {
        self.services.database_of(2)
    }

    fn payments(&self) -> Database {
        self.services.database_of(3)
    }

    /// The access token of the first admin, who may do everything.
    async fn admin(&self) -> String {
        self.token(ADMIN.0, ADMIN.1).await
    }

    /// The access token of a new user.
    async fn user(&self, name: &str) -> String {
        let (email, password) = (format!("{name}@example.org"), "a long secret");
        let user = json!({ "name": name, "email": email, "password": password });
        Site::behind(self.producer.base()).post("/auth/register", &user).answer().await.expect(202);
        self.token(&email, password).await
    }

    async fn token(&self, email: &str, password: &str) -> String {
        let login = json!({ "email": email, "password": password });
        let login = Site::behind(self.producer.base()).post("/auth/login", &login).answer().await.expect(200).json();
        login["access_token"].as_str().expect("tokens are text").to_owned()
    }

    /// Stops all; none of it may ever have panicked.
    async fn stop(&self) {
        for process in self.all() {
            process.stop().await;
            assert!(!process.logs().contains("panicked"), "{}", process.logs());
        }
    }
}
