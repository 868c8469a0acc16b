//! Reading a program's configuration, and the parts of it that all programs share.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use clap::{Args, Parser};
use messaging::Backoff;

use crate::http::HttpLimits;

/// Reads `.env` if there is one, then the program's arguments and environment.
///
/// What is wrong is printed with the name of the variable, and the program ends.
pub fn load<C: Parser>() -> C {
    match dotenvy::dotenv() {
        Ok(_) => {}
        Err(error) if error.not_found() => {}
        // The parse error holds the line, which may be a secret: only the place it names is shown.
        Err(dotenvy::Error::LineParse(_, at)) => eprintln!("warning: .env is not read beyond character {at} of a line"),
        Err(_) => eprintln!("warning: .env cannot be read"),
    }
    C::parse()
}

/// Where and how a program serves HTTP; `PORT` is its port when none is configured.
#[derive(Args, Clone, Copy, Debug)]
pub struct HttpArgs<const PORT: u16 = 8080> {
    /// Address and port to serve HTTP on.
    #[arg(long, env = "LISTEN", default_value = any_address(PORT))]
    pub listen: SocketAddr,

    /// Seconds that requests in flight are given to finish when the program is told to stop.
    #[arg(long, env = "STOP_TIMEOUT", value_parser = seconds, default_value = "20")]
    pub stop_timeout: Duration,

    /// Connections served at the same time; more of them wait to be accepted.
    #[arg(long, env = "MAX_CONNECTIONS", value_parser = clap::value_parser!(u32).range(1..), default_value = "10000")]
    pub max_connections: u32,
}

impl<const PORT: u16> HttpArgs<PORT> {
    /// The limits to give to [`serve`](crate::serve).
    pub fn limits(&self) -> HttpLimits {
        HttpLimits {
            max_connections: self.max_connections as usize,
            stop_timeout: self.stop_timeout,
            ..HttpLimits::default()
        }
    }
}

/// How patiently a program waits at its start for what it depends on.
#[derive(Args, Clone, Copy, Debug)]
pub struct RetryArgs {
    /// How often connecting at the start is tried before the program gives up.
    #[arg(long, env = "RETRY_ATTEMPTS", default_value_t = Backoff::default().attempts)]
    pub retry_attempts: usize,

    /// Seconds to wait after the first failed try; doubled after each further one.
    #[arg(long, env = "RETRY_BASE", value_parser = seconds, default_value = "3")]
    pub retry_base: Duration,
}

impl RetryArgs {
    /// The same as a [`Backoff`].
    pub fn backoff(&self) -> Backoff {
        Backoff { attempts: self.retry_attempts, base: self.retry_base, ..Backoff::default() }
    }
}

fn any_address(port: u16) -> String {
    SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)).to_string()
}

/// Reads a number of seconds, which may have a fraction; for clap's `value_parser`.
///
/// # Errors
/// If it is none, or less than a millisecond, or more than a year.
pub fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "expected a number of seconds".to_owned())?;
    let duration = Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())?;
    // Longer than this is never, and would overflow when it is added to a date.
    if (Duration::from_millis(1)..=Duration::from_secs(366 * 86_400)).contains(&duration) {
        Ok(duration)
    } else {
        Err("expected from 0.001 seconds to a year".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Parser)]
    struct Config {
        #[command(flatten)]
        http: HttpArgs<8081>,
        #[command(flatten)]
        retry: RetryArgs,
    }

    #[test]
    fn a_program_has_its_own_port_and_the_shared_defaults() {
        let config = Config::try_parse_from(["program"]).unwrap();
        assert_eq!(config.http.listen, "0.0.0.0:8081".parse().unwrap());
        assert_eq!(config.http.limits().stop_timeout, Duration::from_secs(20));
        assert_eq!(config.http.limits().max_connections, 10_000);
        assert_eq!(config.retry.backoff(), Backoff::default());
    }

    #[test]
    fn seconds_may_have_a_fraction_and_nothing_else() {
        assert_eq!(seconds("0.25"), Ok(Duration::from_millis(250)));
        for wrong in ["", "-1", "3s", "NaN", "1e300"] {
            assert!(seconds(wrong).is_err(), "{wrong} was taken for seconds");
        }
    }
}
