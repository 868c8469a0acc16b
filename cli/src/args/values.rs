//! What arguments are made of.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use url::Url;

/// `http://host:port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BaseUrl(String);

impl BaseUrl {
    /// One that was looked up.
    pub(crate) fn of(host: &str, port: u16) -> Self {
        // An IPv6 address needs its brackets in a URL.
        if host.contains(':') { Self(format!("http://[{host}]:{port}")) } else { Self(format!("http://{host}:{port}")) }
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for BaseUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a URL like http://127.0.0.1:3000");
        let url = Url::parse(text.trim()).map_err(|_| wrong())?;
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        let open = url.username().is_empty() && url.password().is_none();
        if url.scheme() == "http" && url.has_host() && bare && open {
            Ok(Self(url.as_str().trim_end_matches('/').to_owned()))
        } else {
            Err(wrong())
        }
    }
}

/// A service and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServiceUrl {
    pub(crate) service: String,
    pub(crate) url: BaseUrl,
}

impl FromStr for ServiceUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not like owners=http://127.0.0.1:30000");
        let (service, url) =
            text.split_once('=').filter(|(service, _)| !service.trim().is_empty()).ok_or_else(wrong)?;
        Ok(Self { service: service.trim().to_owned(), url: url.parse()? })
    }
}

/// Any number of them, with commas between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct List<T>(pub(crate) Vec<T>);

impl<T: FromStr<Err = String>> FromStr for List<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        entries.map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

/// An age: `90s`, `10m`, `2h` or `7d`.
pub(crate) fn age(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not like 90s, 10m, 2h or 7d");
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    let number: u32 = number.parse().map_err(|_| wrong())?;
    Ok(Duration::from_secs(u64::from(number) * seconds))
}

/// A routing key of events, or a pattern: `*` stands for one word, `#` for any number of them.
pub(crate) fn pattern(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '*' | '#');
    if (1..=255).contains(&text.len()) && text.chars().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("it is not like user.created or user.*".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_that_of_a_server_and_no_more() {
        for right in ["http://127.0.0.1:3000", "http://shop.example/", "http://[::1]:3000"] {
            assert_eq!(right.parse::<BaseUrl>().unwrap().to_string(), right.trim_end_matches('/'));
        }
        for wrong in ["", "shop:3000", "https://shop", "http://shop/api", "http://me:secret@shop", "http://shop?a=b"] {
            assert!(wrong.parse::<BaseUrl>().is_err(), "{wrong}");
        }
        assert_eq!(BaseUrl::of("::1", 80).to_string().parse::<BaseUrl>().unwrap().to_string(), "http://[::1]");
        assert_eq!("".parse(), Ok(List::<ServiceUrl>(Vec::new())));
        assert_eq!("a=http://a:1, a=http://b:2,".parse::<List<ServiceUrl>>().unwrap().0.len(), 2);
        assert!("owners=http://a:1".parse::<ServiceUrl>().is_ok() && "=http://a:1".parse::<ServiceUrl>().is_err());
    }

    #[test]
    fn an_age_has_a_unit() {
        for (text, seconds) in [("0s", 0), ("90s", 90), ("10m", 600), ("2h", 7_200), ("7d", 604_800)] {
            assert_eq!(age(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for wrong in ["", "s", "10", "-1s", "1w", "1é", "99999999999d"] {
            assert!(age(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_pattern_is_one_that_brokers_know() {
        assert!(pattern("user.*").is_ok() && pattern("#").is_ok() && pattern("task.progressed").is_ok());
        assert!(pattern("").is_err() && pattern("user created").is_err() && pattern(&"x".repeat(256)).is_err());
    }
}
