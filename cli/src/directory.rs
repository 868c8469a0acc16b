//! Where services are.

use contracts::registry::Discovered;

use crate::api::Http;
use crate::args::{BaseUrl, PlaceArgs};
use crate::failure::Failure;

/// Where a service is: as it was told, or as a registry knows.
pub(crate) async fn find(http: &Http, places: &PlaceArgs, service: &str) -> Result<BaseUrl, Failure> {
    if let Some(told) = places.service_urls.0.iter().find(|told| told.service == service) {
        return Ok(told.url.clone());
    }
    let mut why = "there is no registry".to_owned();
    for registry in &places.registry_url.0 {
        match http.get::<Discovered>(&format!("{registry}/discover/{service}")).await {
            Ok(found) => match found.instances.first() {
                Some(instance) => return Ok(BaseUrl::of(&instance.host, instance.port)),
                None => why = format!("the registry at {registry} knows no instance of it"),
            },
            Err(failure) => why = failure.to_string(),
        }
    }
    Err(Failure::Away(format!(
        "where `{service}` is, is not known: {why}. Say it by --service-urls {service}=http://HOST:PORT"
    )))
}
