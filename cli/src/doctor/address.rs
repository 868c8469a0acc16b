//! Where a server is, as it may be shown: never with credentials.

use mongodb::options::{ConnectionString, HostInfo};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

/// Scheme, host, port and path. Of what is no URL nothing is shown, as nobody can tell where its password ends.
pub(super) fn of_url(url: &SecretString) -> Option<String> {
    let url = Url::parse(url.expose_secret().trim()).ok()?;
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!("{}://{}{port}{}", url.scheme(), url.host_str()?, url.path().trim_end_matches('/')))
}

/// The hosts, of which there may be several.
pub(super) fn of_mongodb(url: &SecretString) -> Option<String> {
    match ConnectionString::parse(url.expose_secret()).ok()?.host_info {
        HostInfo::HostIdentifiers(hosts) => {
            let hosts: Vec<_> = hosts.iter().map(ToString::to_string).collect();
            Some(format!("mongodb://{}", hosts.join(",")))
        }
        HostInfo::DnsRecord(name) => Some(format!("mongodb+srv://{name}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_shows_no_password_however_it_is_written() {
        for (url, shown) in [
            ("amqp://me:secret@host:5672/my_vhost", Some("amqp://host:5672/my_vhost")),
            ("redis://:secret@[::1]:6379/", Some("redis://[::1]:6379")),
            ("mysql://me@host/db?password=secret", Some("mysql://host/db")),
            ("postgres://me:sec@ret@host/db", Some("postgres://host/db")),
            ("postgres://me:secret?@host/db", None),
            ("secret", None),
        ] {
            assert_eq!(of_url(&url.into()).as_deref(), shown);
        }
        let hosts = of_mongodb(&"mongodb://me:secret@a:1,b/?replicaSet=rs".into());
        assert_eq!(hosts.as_deref(), Some("mongodb://a:1,b:27017"));
        assert_eq!(of_mongodb(&"mongodb://me:sec/ret@a".into()), None);
    }
}
