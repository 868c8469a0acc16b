//! Schemathesis asks every program, by its own OpenAPI document, what nobody would: no answer may be a 5xx, or one that the
//! document does not know.

use std::process::Stdio;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use system_tests::{Ask, Site};
use testkit::{TestRedis, TestS3, TestSearch, eventually};
use tokio::process::Command;
use tokio::time::timeout;

use crate::server::{Kind, Servers};
use crate::shop::Services;
use crate::world::{ADMIN, Process};
use Which::{But, Only};

/// Together they take less than two minutes on two cores; more would be for want of an answer.
const LIMIT: Duration = Duration::from_secs(300);

/// What the answers are checked for.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";

/// Requests for each operation, beside those made from the examples and the bounds of its parameters.
const EXAMPLES: &str = "30";

/// Operations that are never asked: a stream without end.
const NEVER: &str = "^GET /watch$";

/// Operations that are asked last, as they can end the session that all is asked with.
const LAST: &str = "^POST /auth/logout$|^DELETE /users/|^PUT (/api)?/users/.*/roles$|^DELETE /api/users/";

const REGISTRY_TOKEN: &str = "a-token-for-tests";

/// Which operations are asked, by expressions for their method and path.
enum Which {
    But(&'static [&'static str]),
    Only(&'static str),
}

/// What is asked.
struct Programs {
    /// One that nobody relies on: what it is asked would make the others unreachable.
    lonely_registry: Process,
    registry: Process,
    producer: Process,
    consumer: Process,
    shop: Services,
    gateway: Process,
}

impl Programs {
    /// All of them, on these servers.
    async fn start(servers: &Servers, lonely: &TestRedis, search: &TestSearch, s3: &TestS3) -> Self {
        let registered = |program: Process| {
            let program = program.env("REDIS_URL", servers.url(Kind::Redis)).env("REGISTRY_TOKEN", REGISTRY_TOKEN);
            let program = program.env("SEARCH_URL", search.url()).env("S3_URL", s3.url()).env("S3_BUCKET", s3.bucket());
            let program = program.env("S3_ACCESS_KEY", s3.access_key()).env("S3_SECRET_KEY", s3.secret_key());
            program
                .env("SEARCH_USERS_INDEX", &search.index("users"))
                .env("SEARCH_PRODUCTS_INDEX", &search.index("products"))
        };
        let lonely_registry = registered(Process::new("registry")).env("REDIS_URL", lonely.url());
        let (registry, lonely_registry) =
            tokio::join!(registered(Process::new("registry")).start(), lonely_registry.start());
        let registered = |program| registered(program).env("REGISTRY_URL", registry.base());
        let producer = registered(servers.producer()).env("ADMIN_EMAIL", ADMIN.0).env("ADMIN_PASSWORD", ADMIN.1);
        let consumer = registered(servers.consumer().await);
        let gateway = registered(Process::new("gateway")).env("RATE_LIMIT", "0");
        let shop = Services::on(servers, registered).await;
        let shop_starts = join_all(shop.all().map(Process::start_again));
        let (producer, consumer, gateway, _) =
            tokio::join!(producer.start(), consumer.start(), gateway.start(), shop_starts);
        Self { lonely_registry, registry, producer, consumer, shop, gateway }
    }

    fn site(&self) -> Site {
        Site::new(self.producer.base(), self.consumer.base())
    }

    /// In the order they are stopped in.
    fn all(&self) -> Vec<&Process> {
        let edge = [&self.gateway, &self.consumer];
        let last = [&self.producer, &self.registry, &self.lonely_registry];
        edge.into_iter().chain(self.shop.all()).chain(last).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs schemathesis; run by ./dev test"]
async fn no_program_gives_an_answer_that_it_does_not_document() {
    let servers = Servers::with(&[]).await;
    let lonely = testkit::redis().await;
    let (search, s3) = tokio::join!(testkit::search(), testkit::s3());
    let programs = Programs::start(&servers, &lonely, &search, &s3).await;
    let admin = log_in(&programs).await;
    let asked = join_all([
        ask("registry", &programs.lonely_registry, Some(REGISTRY_TOKEN), But(&[NEVER])),
        ask("producer", &programs.producer, Some(&admin), But(&[NEVER, LAST])),
        ask("consumer", &programs.consumer, Some(&admin), But(&[NEVER])),
        ask("owners", &programs.shop.owners, Some(&admin), But(&[NEVER])),
        ask("products", &programs.shop.products, Some(&admin), But(&[NEVER])),
        ask("orders", &programs.shop.orders, Some(&admin), But(&[NEVER])),
        ask("payments", &programs.shop.payments, Some(&admin), But(&[NEVER])),
        ask("gateway", &programs.gateway, Some(&admin), But(&[NEVER, LAST])),
        ask("gateway, without a token", &programs.gateway, None, But(&[NEVER])),
    ]);
    let mut found = timeout(LIMIT, asked).await.expect("the requests are bounded");
    let me = programs.site().get("/auth/me").bearer_auth(&admin).answer().await;
    assert_eq!(me.status, 200, "what was asked after the session ended was refused: {}", me.body);
    for (name, program) in [("producer", &programs.producer), ("gateway", &programs.gateway)] {
        found.push(ask(&format!("{name}, the rest"), program, Some(&admin), Only(LAST)).await);
    }
    let found = found.join("\n");
    assert!(found.trim().is_empty(), "{found}");
    for program in programs.all() {
        assert!(!program.logs().contains("panicked"), "{}", program.logs());
        program.stop().await;
    }
}

/// The access token of the first admin, who may ask for everything.
async fn log_in(programs: &Programs) -> String {
    let (email, password) = ADMIN;
    eventually("the first admin can log in", async || {
        let answer =
            programs.site().post("/auth/login", &json!({ "email": email, "password": password })).answer().await;
        (answer.status == 200).then(|| answer.json()["access_token"].as_str().map(ToOwned::to_owned))?
    })
    .await
}

/// Asks one program, and gives what was found wrong; nothing if all was well.
async fn ask(name: &str, program: &Process, token: Option<&str>, which: Which) -> String {
    let base = program.base();
    let mut command = Command::new("schemathesis");
    command
        .args(["run", &format!("{base}/api-docs/openapi.json"), "--url", base, "--checks", CHECKS])
        .args(["--phases", "examples,coverage,fuzzing", "--max-examples", EXAMPLES, "--generation-deterministic"])
        .args(["--suppress-health-check", "all", "--warnings", "off"])
        .args(["--request-timeout", "30", "--continue-on-failure", "--no-color"]);
    match which {
        But(names) => command.args(["--exclude-name-regex", &names.join("|")]),
        Only(name) => command.args(["--include-name-regex", name]),
    };
    if let Some(token) = token {
        command.args(["--header", &format!("Authorization: Bearer {token}")]);
    }
    // What it leaves behind is not to lie in the source.
    command.current_dir(env!("CARGO_TARGET_TMPDIR"));
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await;
    let output = output.unwrap_or_else(|error| panic!("schemathesis cannot be run: {error}"));
    let said = String::from_utf8_lossy(&output.stdout);
    if output.status.success() {
        println!("{name}: {}", said.trim_end().lines().next_back().unwrap_or_default());
        return String::new();
    }
    format!("== {name}\n{said}\n{}", String::from_utf8_lossy(&output.stderr))
}
