//! Who asks: a session, begun with an e-mail address and a password.

use reqwest::{Client, RequestBuilder};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::api::Http;
use crate::args::{AccessArgs, BaseUrl, EXAMPLE_PASSWORD};
use crate::directory;
use crate::failure::Failure;
use crate::parts::{EVENTS, LINES, Parts};

const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// A way in, with a token.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    http: Http,
    token: SecretString,
}

/// How a user who is not known is dealt with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unknown {
    /// They are registered.
    Register,
    /// They are refused.
    Refuse,
}

#[derive(Deserialize)]
struct Tokens {
    access_token: SecretString,
}

impl Access {
    /// Begins a session.
    pub(crate) async fn begin(http: Http, args: &AccessArgs, unknown: Unknown) -> Result<Self, Failure> {
        let base =
            if args.direct { directory::find(&http, &args.places, "producer").await? } else { args.places.url.clone() };
        let (email, password) = (&args.email, args.password.expose_secret());
        let login = || async {
            let credentials = json!({ "email": email, "password": password });
            http.post::<Tokens>(&format!("{base}/auth/login"), None, |request| request.json(&credentials)).await
        };
        let tokens = match login().await {
            Err(Failure::Refused(why)) if unknown == Unknown::Refuse || password == EXAMPLE_PASSWORD => {
                // A password that everybody can read is not what a new user is to have.
                Err(Failure::Refused(format!(
                    "{why}. Give --email and --password, or ADMIN_EMAIL and ADMIN_PASSWORD; the producer makes an admin of them \
                     when it starts with these"
                )))
            }
            Err(Failure::Refused(_)) => {
                let user = json!({ "name": "Shopkeeper", "email": email, "password": password });
                let url = format!("{base}/auth/register");
                let registered = http.post::<Value>(&url, None, |request| request.json(&user)).await;
                registered.map_err(|failure| Failure::Refused(format!("{email} cannot be registered: {failure}")))?;
                login().await
            }
            other => other,
        }?;
        Ok(Self { http, token: tokens.access_token })
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, url: &str) -> Result<T, Failure> {
        self.http.send(url, |client| self.signed(client.get(url))).await
    }

    pub(crate) async fn delete<T: DeserializeOwned>(&self, url: &str) -> Result<T, Failure> {
        let key = Uuid::now_v7().to_string();
        self.http.send(url, |client| self.signed(client.delete(url)).header(IDEMPOTENCY_KEY, &key)).await
    }

    /// Posts what may be posted again.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        url: &str,
        finish: impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> Result<T, Failure> {
        self.http.post(url, Some(&self.token), finish).await
    }

    /// Posts what takes effect once under its key, however often it must be sent.
    pub(crate) async fn post_once<T: DeserializeOwned>(
        &self,
        url: &str,
        key: &str,
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        self.post(url, |request| request.header(IDEMPOTENCY_KEY, key).json(body)).await
    }

    /// Follows events.
    pub(crate) async fn events(&self, url: &str) -> Result<Parts, Failure> {
        let response = self.http.stream(url, |client| self.signed(client.get(url))).await?;
        Ok(Parts::new(url, response, EVENTS))
    }

    /// Begins what tells by lines how far it is. It is not sent again: it may have begun.
    pub(crate) async fn begin_run(&self, url: &str, body: Option<&Value>) -> Result<Parts, Failure> {
        let request = |client: &Client| {
            let request = self.signed(client.post(url));
            match body {
                Some(body) => request.json(body),
                None => request,
            }
        };
        Ok(Parts::new(url, self.http.begin(url, request).await?, LINES))
    }

    fn signed(&self, request: RequestBuilder) -> RequestBuilder {
        request.bearer_auth(self.token.expose_secret())
    }
}

/// Where something of a service is: behind the gateway, or at the service itself.
pub(crate) async fn at(
    http: &Http,
    args: &AccessArgs,
    service: &str,
    behind_gateway: &str,
    at_service: &str,
) -> Result<String, Failure> {
    if args.direct {
        let base: BaseUrl = directory::find(http, &args.places, service).await?;
        Ok(format!("{base}{at_service}"))
    } else {
        Ok(format!("{}{behind_gateway}", args.places.url))
    }
}

/// The same of the things that a service is named after.
pub(crate) async fn things(http: &Http, args: &AccessArgs, service: &str) -> Result<String, Failure> {
    at(http, args, service, &format!("/api/{service}"), &format!("/v1/{service}")).await
}
