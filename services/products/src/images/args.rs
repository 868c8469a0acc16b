//! Where images are kept.

use std::time::Duration;

use anyhow::Context;
use clap::Args;
use secrecy::SecretString;
use service::seconds;
use url::Url;

use super::Storage;

/// Where images are kept.
#[derive(Args, Clone, Debug)]
pub struct S3Args {
    /// S3, or what speaks its protocol; without it products have no images.
    #[arg(long, env)]
    pub s3_url: Option<String>,

    /// The bucket, which is made if it is not there.
    #[arg(long, env, default_value = "product-images")]
    pub s3_bucket: String,

    /// The region of the bucket.
    #[arg(long, env, default_value = "us-east-1")]
    pub s3_region: String,

    /// Who asks.
    #[arg(long, env)]
    pub s3_access_key: Option<String>,

    /// What requests are signed with.
    #[arg(long, env, hide_env_values = true)]
    pub s3_secret_key: Option<SecretString>,

    /// Seconds between two looks for objects that no product shows.
    #[arg(long, env, value_parser = seconds, default_value = "600")]
    pub image_sweep_every: Duration,

    /// Seconds after which an object that no product shows is removed: longer than an upload takes.
    #[arg(long, env, value_parser = seconds, default_value = "3600")]
    pub image_orphan_age: Duration,
}

impl S3Args {
    /// The storage, if there is one; it is asked for nothing yet.
    ///
    /// # Errors
    /// If a setting is missing or cannot be used.
    pub(crate) fn open(&self) -> anyhow::Result<Option<Storage>> {
        // A variable that is set to nothing is as one that is not set.
        let url = self.s3_url.as_deref().map(str::trim).filter(|url| !url.is_empty());
        let Some(url) = url else { return Ok(None) };
        // What is wrong with it may show a password.
        let url = Url::parse(url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host() && url.username().is_empty());
        let url = url.context(
            "S3_URL must be an http:// or https:// address without a user: the keys are S3_ACCESS_KEY and S3_SECRET_KEY",
        )?;
        let access_key = self.s3_access_key.as_ref().context("S3_URL is set, but S3_ACCESS_KEY is not")?;
        let secret_key = self.s3_secret_key.as_ref().context("S3_URL is set, but S3_SECRET_KEY is not")?;
        Storage::new(&url, &self.s3_bucket, &self.s3_region, access_key, secret_key).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Config {
        #[command(flatten)]
        s3: S3Args,
    }

    fn opened(arguments: &[&str]) -> anyhow::Result<bool> {
        let config = Config::try_parse_from(["program"].iter().chain(arguments)).unwrap();
        config.s3.open().map(|storage| storage.is_some())
    }

    #[test]
    fn a_storage_has_an_address_and_both_keys_or_nothing() {
        assert!(!opened(&[]).unwrap());
        assert!(!opened(&["--s3-url="]).unwrap());
        let (url, access, secret) = ("--s3-url=http://s3:9000", "--s3-access-key=warren", "--s3-secret-key=hunter2");
        assert!(opened(&[url, access, secret]).unwrap());
        for (wrong, named) in [
            (&[url, secret][..], "S3_ACCESS_KEY"),
            (&[url, access], "S3_SECRET_KEY"),
            (&["--s3-url=s3:9000", access, secret], "S3_URL"),
            (&["--s3-url=ftp://s3", access, secret], "S3_URL"),
            (&["--s3-url=http://warren:hunter2@s3", access, secret], "S3_URL"),
        ] {
            let error = opened(wrong).unwrap_err().to_string();
            assert!(error.contains(named) && !error.contains("hunter2"), "{error}");
        }
    }
}
