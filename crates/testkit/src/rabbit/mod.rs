//! A vhost of its own for each test, and what a person could do to it in the management UI.

mod api;
mod message;
mod queues;
mod tick;

use std::fmt;

use serde_json::{Value, json};
use url::Url;

use self::api::Api;
pub use self::message::TestMessage;
use crate::{address, cleanup, name};

/// A vhost with a user of its own, and all that RabbitMQ's management can do in it.
///
/// Every method panics, with RabbitMQ's own words, if the management refuses.
pub struct TestRabbit {
    api: Api,
    api_url: String,
    url: String,
    vhost: String,
    user: String,
    /// A vhost of the shared broker is deleted at the end; a private broker goes as a whole.
    shared: bool,
}

/// Makes an empty vhost, and a user who may do everything in it and nothing elsewhere.
///
/// # Panics
/// If the shared RabbitMQ is not reachable.
pub async fn rabbitmq() -> TestRabbit {
    let server = address::rabbitmq_api();
    let api = Api::new(&server);
    let name = name::unique();
    address::reached(&server, api.send(api.put(&["vhosts", &name], &json!({}))).await);
    let user = json!({ "password": name, "tags": "management" });
    api.must(api.put(&["users", &name], &user)).await;
    let api_url = with_login(server, &name).into();
    let mut url = with_login(address::amqp(), &name);
    url.set_path(&name);
    let rabbit = TestRabbit { api, api_url, url: url.into(), vhost: name.clone(), user: name, shared: true };
    rabbit.permit(".*").await;
    rabbit
}

fn with_login(mut url: Url, name: &str) -> Url {
    url.set_username(name).expect("the URL has a host, and so may have a user");
    url.set_password(Some(name)).expect("the URL has a host, and so may have a password");
    url
}

impl TestRabbit {
    /// What exists already: the vhost of a private broker.
    pub(crate) fn of_private(management: &Url, amqp: &Url) -> Self {
        Self {
            api: Api::new(management),
            api_url: management.to_string(),
            url: amqp.to_string(),
            vhost: amqp.path().trim_start_matches('/').to_owned(),
            user: amqp.username().to_owned(),
            shared: false,
        }
    }

    /// The AMQP URL of the vhost, with user and password.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The URL of the management, with a user who may manage this vhost.
    pub fn api_url(&self) -> &str {
        &self.api_url
    }

    /// The name of the vhost.
    pub fn vhost(&self) -> &str {
        &self.vhost
    }

    /// Whether the vhost is there and every node has it running.
    pub(crate) async fn is_running(&self) -> bool {
        let vhost = self.api.send(self.api.get(&["vhosts", &self.vhost])).await;
        vhost.is_ok_and(|vhost| {
            vhost["cluster_state"].as_object().is_some_and(|nodes| nodes.values().all(|state| state == "running"))
        })
    }

    /// Closes every connection of this vhost's user, as an operator would; clients see `CONNECTION_FORCED`.
    pub async fn close_connections(&self) {
        // By user, because the list of connections lags behind and this does not.
        self.api.must(self.api.delete(&["connections", "username", &self.user])).await;
    }

    /// Lets the user declare what has a name like this, read and write everything.
    pub async fn permit(&self, declare: &str) {
        let permissions = json!({ "configure": declare, "write": ".*", "read": ".*" });
        self.api.must(self.api.put(&["permissions", &self.vhost, &self.user], &permissions)).await;
    }

    /// Sets a policy for the queues whose names match `pattern`, such as `{"max-length": 1}`.
    pub async fn set_policy(&self, name: &str, pattern: &str, definition: Value) {
        let policy = json!({ "pattern": pattern, "definition": definition, "apply-to": "queues" });
        self.api.must(self.api.put(&["policies", &self.vhost, name], &policy)).await;
    }

    /// Takes a policy away again.
    pub async fn delete_policy(&self, name: &str) {
        self.api.must(self.api.delete(&["policies", &self.vhost, name])).await;
    }
}

impl fmt::Debug for TestRabbit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestRabbit").field("vhost", &self.vhost).finish_non_exhaustive()
    }
}

impl Drop for TestRabbit {
    fn drop(&mut self) {
        if !self.shared {
            return;
        }
        let (server, name) = (address::rabbitmq_api(), self.vhost.clone());
        cleanup::run(async move {
            // A client of its own: the test's keeps connections in the test's runtime, which stands still meanwhile.
            let api = Api::new(&server);
            // Without the user nobody comes in any more; whoever is in is sent away, and that is answered when the channels are
            // gone. Only then the vhost goes: a queue that is deleted while it is being made costs RabbitMQ 3.10 all its
            // at-least-once dead-lettering.
            api.send(api.delete(&["users", &name])).await?;
            api.send(api.delete(&["connections", "username", &name])).await?;
            api.send(api.delete(&["vhosts", &name])).await?;
            Ok(())
        });
    }
}
