//! Who asks: a session, begun with an e-mail address and a password.

use reqwest::RequestBuilder;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::api::Http;
use crate::args::{AccessArgs, BaseUrl, EXAMPLE_PASSWORD};
use crate::directory;
use crate::failure::Failure;

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
        let base = if args.direct { directory::find(&http, args, "producer").await? } else { args.url.clone() };
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

    /// Posts what may be posted again.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        url: &str,
        finish: impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> Result<T, Failure> {
        self.http.post(url, Some(&self.token), finish).await
    }
}

/// Where a service's things are: behind the gateway, or at the service itself.
pub(crate) async fn things(http: &Http, args: &AccessArgs, service: &str) -> Result<String, Failure> {
    if args.direct {
        let base: BaseUrl = directory::find(http, args, service).await?;
        Ok(format!("{base}/v1/{service}"))
    } else {
        Ok(format!("{}/api/{service}", args.url))
    }
}
