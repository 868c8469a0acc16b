//! Passwords hashed on threads of their own: a bounded number at a time, a bounded number waiting.
//!
//! Hashing takes much memory and time on purpose. Here neither can grow with the number of requests, and no other
//! request waits for it.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use secrecy::{ExposeSecret, SecretString};
use service::{ApiError, ApiResult};
use tokio::sync::{mpsc, oneshot};

use crate::config::HashingArgs;

/// Hashes passwords. Cheap to clone; its threads end when the last clone is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Hasher(mpsc::Sender<Job>);

#[derive(Debug)]
enum Job {
    /// A hash to keep, with a random salt: a PHC string.
    Keep(SecretString, oneshot::Sender<Result<String, String>>),
    /// A hash by which the same password is recognised later, as costly to guess from as the one that is kept.
    Recognise(SecretString, [u8; 32], oneshot::Sender<Result<String, String>>),
    /// Whether it is the password whose hash is kept, if there is one.
    Verify(SecretString, Option<String>, oneshot::Sender<Result<bool, String>>),
}

impl Job {
    /// Whoever asked may have left: then there is nothing to do.
    fn is_abandoned(&self) -> bool {
        match self {
            Self::Keep(_, reply) | Self::Recognise(_, _, reply) => reply.is_closed(),
            Self::Verify(_, _, reply) => reply.is_closed(),
        }
    }
}

impl Hasher {
    /// Starts the threads.
    pub(crate) fn start(args: &HashingArgs) -> anyhow::Result<Self> {
        let params = Params::new(args.argon2_memory_kib, args.argon2_passes, args.argon2_lanes, None)
            .map_err(|error| anyhow::anyhow!("ARGON2_MEMORY_KIB, ARGON2_PASSES, ARGON2_LANES: {error}"))?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let (sender, receiver) = mpsc::channel(args.hashing_queue);
        let receiver = Arc::new(Mutex::new(receiver));
        for number in 0..args.threads() {
            let (argon2, receiver) = (argon2.clone(), Arc::clone(&receiver));
            thread::Builder::new()
                .name(format!("hashing-{number}"))
                .spawn(move || work(&argon2, &receiver))
                .context("starting a hashing thread")?;
        }
        Ok(Self(sender))
    }

    /// The hash of a password, to be kept.
    pub(crate) async fn hash(&self, password: &SecretString) -> ApiResult<String> {
        self.run(|reply| Job::Keep(password.clone(), reply)).await
    }

    /// What tells a password from another one, without telling it to whoever reads the database.
    pub(crate) async fn recognise(&self, password: &SecretString, salt: [u8; 32]) -> ApiResult<String> {
        self.run(|reply| Job::Recognise(password.clone(), salt, reply)).await
    }

    /// Whether this is the password whose hash is kept. Where there is none the answer is no, at the same cost, so that
    /// nobody learns from it who has a password here.
    pub(crate) async fn verify(&self, password: &SecretString, kept: Option<String>) -> ApiResult<bool> {
        self.run(|reply| Job::Verify(password.clone(), kept, reply)).await
    }

    async fn run<T>(&self, job: impl FnOnce(oneshot::Sender<Result<T, String>>) -> Job) -> ApiResult<T> {
        let (reply, hash) = oneshot::channel();
        self.0.try_send(job(reply)).map_err(|_| {
            metrics::counter!("producer_refused_total", "lane" => "users", "reason" => "hashing").increment(1);
            ApiError::unavailable("too many passwords wait to be hashed", Duration::from_secs(2))
        })?;
        let hash = hash.await.map_err(|_| ApiError::internal(anyhow::anyhow!("a hashing thread panicked")))?;
        hash.map_err(|error| ApiError::internal(anyhow::anyhow!("hashing a password: {error}")))
    }
}

fn work(argon2: &Argon2<'_>, jobs: &Mutex<mpsc::Receiver<Job>>) {
    // Fresh memory costs more page faults than the hashing takes time, so it is kept for as long as passwords wait.
    let mut memory = Vec::new();
    loop {
        let waiting = jobs.try_lock().ok().and_then(|mut jobs| jobs.try_recv().ok());
        let job = waiting.or_else(|| {
            memory = Vec::new();
            // The lock is held while waiting and let go for the hashing, so the threads take turns.
            jobs.lock().expect("nothing panics while it holds this lock").blocking_recv()
        });
        let Some(job) = job else { return };
        memory.resize(argon2.params().block_count(), Block::default());
        if job.is_abandoned() {
            continue;
        }
        match job {
            Job::Keep(password, reply) => {
                let _ = reply.send(hash_to_keep(argon2, &password, &mut memory).map_err(|error| error.to_string()));
            }
            Job::Recognise(password, salt, reply) => {
                let mut hash = [0; 32];
                let hashed = hash_into(&mut hash, argon2, &password, &salt, &mut memory);
                let _ = reply.send(hashed.map(|()| hex(&hash)).map_err(|error| error.to_string()));
            }
            Job::Verify(password, kept, reply) => {
                let verified = verify(argon2, &password, kept.as_deref(), &mut memory);
                let _ = reply.send(verified.map_err(|error| error.to_string()));
            }
        }
    }
}

/// All the work there is, counted.
fn hash_into(
    hash: &mut [u8],
    argon2: &Argon2<'_>,
    password: &SecretString,
    salt: &[u8],
    memory: &mut [Block],
) -> argon2::Result<()> {
    metrics::counter!("producer_passwords_hashed_total").increment(1);
    argon2.hash_password_into_with_memory(password.expose_secret().as_bytes(), salt, hash, memory)
}

/// The PHC string of a password under a new salt, as argon2 itself would make it with memory of its own.
fn hash_to_keep(argon2: &Argon2<'_>, password: &SecretString, memory: &mut [Block]) -> anyhow::Result<String> {
    let salt = Salt::generate();
    let mut hash = [0; Params::DEFAULT_OUTPUT_LEN];
    hash_into(&mut hash, argon2, password, &salt, memory)?;
    let kept = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(argon2.params())?,
        salt: Some(salt),
        hash: Some(Output::new(&hash)?),
    };
    Ok(kept.to_string())
}

/// Hashes with the parameters and the salt of the hash that is kept, or for nothing with those of a new one.
fn verify(
    argon2: &Argon2<'_>,
    password: &SecretString,
    kept: Option<&str>,
    memory: &mut Vec<Block>,
) -> anyhow::Result<bool> {
    let kept = kept.map(PasswordHash::new).transpose()?;
    let (params, salt, wanted) = match &kept {
        Some(kept) => (Params::try_from(kept)?, kept.salt, kept.hash),
        None => (argon2.params().clone(), Some(Salt::new(&[0; 16])?), Some(Output::new(&[0; 32])?)),
    };
    let (salt, wanted) = salt.zip(wanted).context("the hash that is kept is not complete")?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    memory.resize(argon2.params().block_count(), Block::default());
    let mut hash = vec![0; wanted.len()];
    hash_into(&mut hash, &argon2, password, &salt, memory)?;
    // Compared in constant time.
    Ok(Output::new(&hash)? == wanted && kept.is_some())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use argon2::PasswordVerifier;

    use super::*;

    fn args(threads: usize, queue: usize) -> HashingArgs {
        HashingArgs {
            hashing_threads: Some(threads),
            hashing_queue: queue,
            argon2_memory_kib: 8,
            argon2_passes: 1,
            argon2_lanes: 1,
        }
    }

    fn hasher(threads: usize, queue: usize) -> Hasher {
        Hasher::start(&args(threads, queue)).unwrap()
    }

    #[tokio::test]
    async fn a_hash_is_argon2id_with_its_parameters_and_a_salt_of_its_own() {
        let hasher = hasher(1, 4);
        let password = SecretString::from("correct horse");
        let (one, other) = (hasher.hash(&password).await.unwrap(), hasher.hash(&password).await.unwrap());
        assert!(one.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{one}");
        assert_ne!(one, other);
        // By the library's own verifier.
        Argon2::default().verify_password(b"correct horse", one.as_str()).unwrap();
        assert!(Argon2::default().verify_password(b"wrong horse", one.as_str()).is_err());
    }

    #[tokio::test]
    async fn only_the_password_that_was_hashed_is_verified_also_after_the_parameters_have_changed() {
        let kept = hasher(1, 4).hash(&"correct horse".into()).await.unwrap();
        let args = HashingArgs { argon2_memory_kib: 16, argon2_passes: 2, ..args(1, 4) };
        let hasher = Hasher::start(&args).unwrap();
        assert!(hasher.verify(&"correct horse".into(), Some(kept.clone())).await.unwrap());
        assert!(!hasher.verify(&"wrong horse".into(), Some(kept)).await.unwrap());
        assert!(!hasher.verify(&"correct horse".into(), None).await.unwrap());
        assert_eq!(hasher.verify(&"a".into(), Some("$argon2id$".to_owned())).await.unwrap_err().status(), 500);
        // A thread that has hashed with other parameters goes on with its own.
        assert!(hasher.hash(&"correct horse".into()).await.unwrap().starts_with("$argon2id$v=19$m=16,t=2,p=1$"));
    }

    #[tokio::test]
    async fn the_same_password_is_recognised_under_the_same_salt_only() {
        let hasher = hasher(2, 4);
        let known = hasher.recognise(&"correct horse".into(), [1; 32]).await.unwrap();
        assert_eq!(hasher.recognise(&"correct horse".into(), [1; 32]).await.unwrap(), known);
        assert_ne!(hasher.recognise(&"correct horse".into(), [2; 32]).await.unwrap(), known);
        assert_ne!(hasher.recognise(&"wrong horse".into(), [1; 32]).await.unwrap(), known);
    }
}
