//! Our own programs, run as they are shipped: as processes.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use reqwest::Client;
use rustix::process::Signal;

use crate::address::from_environment;
use crate::eventually::within;
use crate::process::Process;
use crate::scratch::Scratch;

/// All that a program inherits: it is to see the test's settings only, not the developer's.
const INHERITED: [&str; 6] = ["PATH", "HOME", "TMPDIR", "RUST_LOG", "RUST_BACKTRACE", "LLVM_PROFILE_FILE"];

/// First connects are tried with waits between them, on a machine that is busy.
const READY_LIMIT: Duration = Duration::from_secs(60);

/// Longer than any STOP_TIMEOUT, and than all the tries of a first connect that a test configures.
const EXIT_LIMIT: Duration = Duration::from_secs(40);

/// A program of this workspace, run in an empty folder with an environment of its own. Killed on drop.
#[derive(Debug)]
pub struct Program {
    name: String,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    process: Process,
    /// Dropped last: the process works in it.
    scratch: Scratch,
}

impl Program {
    /// The program of this name, built with the same profile as the test.
    pub fn cargo_bin(name: &str) -> Self {
        let scratch = Scratch::new();
        let process = Process::new(name, scratch.path());
        Self { name: name.to_owned(), arguments: Vec::new(), environment: Vec::new(), process, scratch }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, argument: impl ToString) -> Self {
        self.arguments.push(argument.to_string());
        self
    }

    /// Adds an environment variable; it has no others but `PATH` and the like.
    #[must_use]
    pub fn env(mut self, name: impl ToString, value: impl ToString) -> Self {
        self.environment.push((name.to_string(), value.to_string()));
        self
    }

    /// Starts it; see [`wait_ready`](Self::wait_ready).
    #[must_use = "a program that is dropped is killed"]
    pub async fn start(self) -> Self {
        self.start_again().await;
        self
    }

    /// Starts it once more, after it has ended, in the same folder.
    pub async fn start_again(&self) {
        let name = self.name.clone();
        let path = tokio::task::spawn_blocking(move || built(&name)).await.expect("the program can be built");
        let inherited = INHERITED.iter().filter_map(|name| from_environment(name).map(|value| (*name, value)));
        let mut command = Command::new(path);
        command
            .args(&self.arguments)
            .env_clear()
            .envs(inherited)
            // A panic's backtrace helps; that of an error only hides what it says.
            .env("RUST_LIB_BACKTRACE", "0")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(self.scratch.path());
        self.process.start(&mut command);
    }

    /// Waits until `url` answers with a success.
    ///
    /// # Panics
    /// If the program ends before, or time runs out; with the end of its log.
    pub async fn wait_ready(&self, url: &str) {
        let client = Client::builder().timeout(Duration::from_secs(5)).no_proxy().build();
        let client = client.expect("a client without TLS needs nothing");
        let ready = within(READY_LIMIT, || async {
            if let Some(status) = self.process.ended() {
                panic!("{} ended with {status} before it was ready; its log:\n{}", self.name, self.process.log_tail());
            }
            client.get(url).send().await.is_ok_and(|response| response.status().is_success()).then_some(())
        });
        if ready.await.is_none() {
            panic!("{} was not ready within {READY_LIMIT:?}; its log:\n{}", self.name, self.process.log_tail());
        }
    }

    /// Kills it (SIGKILL), and waits until it is gone.
    pub async fn kill9(&self) {
        self.process.signal(Signal::KILL);
        self.process.end(EXIT_LIMIT).await;
    }

    /// Asks it to stop (SIGTERM), and waits for its exit code.
    ///
    /// # Panics
    /// If it has not ended after 40 s, or was killed by a signal.
    pub async fn sigterm(&self) -> i32 {
        self.process.signal(Signal::TERM);
        self.exit_code().await
    }

    /// Waits until it ends by itself, and gives its exit code.
    ///
    /// # Panics
    /// If it has not ended after 40 s, or was killed by a signal.
    pub async fn exit_code(&self) -> i32 {
        let status = self.process.end(EXIT_LIMIT).await;
        status
            .code()
            .unwrap_or_else(|| panic!("{} ended with {status}; its log:\n{}", self.name, self.process.log_tail()))
    }

    /// Whether it runs.
    pub fn is_running(&self) -> bool {
        self.process.ended().is_none()
    }

    /// Freezes it (SIGSTOP).
    pub fn pause(&self) {
        self.process.signal(Signal::STOP);
    }

    /// Lets it go on (SIGCONT).
    pub fn resume(&self) {
        self.process.signal(Signal::CONT);
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// All it wrote to standard output and error, over all starts.
    pub fn logs(&self) -> String {
        self.process.log()
    }
}

/// The program's file beside the test's own; built now if nobody did, one at a time.
fn built(name: &str) -> PathBuf {
    static BUILDING: Mutex<()> = Mutex::new(());
    let test = std::env::current_exe().expect("the test knows its own file");
    // target/<profile>/deps/<test>; doc tests lie elsewhere, and run no programs.
    let profile = test.ancestors().nth(2).expect("tests are built into target/<profile>/deps");
    let path = profile.join(name);
    let _one_at_a_time = BUILDING.lock().unwrap_or_else(|earlier_failure| earlier_failure.into_inner());
    if !path.exists() {
        build(name, profile);
        assert!(path.exists(), "cargo did not build {name} into {}", profile.display());
    }
    path
}

fn build(name: &str, profile: &Path) {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(env!("CARGO_MANIFEST_DIR")).args(["build", "--quiet", "--package", name, "--bin", name]);
    match profile.file_name().and_then(|name| name.to_str()) {
        None | Some("debug") => {}
        Some(profile) => {
            cargo.args(["--profile", profile]);
        }
    }
    let status = cargo.status().expect("tests are run by cargo");
    assert!(status.success(), "cargo could not build {name}");
}
