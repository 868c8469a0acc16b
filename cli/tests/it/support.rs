//! Runs the program.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use serde_json::Value;
use tokio::task::spawn_blocking;

/// What a run of the program said, and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// The program with nothing in its environment, in a folder without a `.env`.
fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_warren"));
    command.args(arguments).env_clear().current_dir(env!("CARGO_TARGET_TMPDIR"));
    command
}

pub(crate) async fn warren(arguments: &[&str]) -> Ran {
    let mut command = command(arguments);
    let output = spawn_blocking(move || command.output()).await.expect("it does not panic");
    Ran::of(output.expect("the program was built"))
}

/// The program while it runs.
pub(crate) struct Running {
    child: Child,
    out: Option<BufReader<ChildStdout>>,
}

pub(crate) fn start(arguments: &[&str]) -> Running {
    let mut command = command(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program was built");
    Running { out: child.stdout.take().map(BufReader::new), child }
}

impl Running {
    /// The next line that it says.
    pub(crate) async fn line(&mut self) -> String {
        let mut out = self.out.take().expect("its output is read still");
        let read = move || {
            let mut line = String::new();
            out.read_line(&mut line).map(|_| (line, out))
        };
        let (line, out) = spawn_blocking(read).await.expect("it does not panic").expect("it says text");
        self.out = Some(out);
        line
    }

    /// Nobody reads what it says any more.
    pub(crate) fn close(&mut self) {
        self.out = None;
    }

    /// As Ctrl-C does.
    pub(crate) fn interrupt(&self) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args(["-INT", &pid]).status().expect("there is a `kill`");
        assert!(status.success());
    }

    /// How it ends, and what else it says.
    pub(crate) async fn end(self) -> Ran {
        let Self { child, out } = self;
        let wait = move || {
            let mut said = Vec::new();
            if let Some(mut out) = out {
                out.read_to_end(&mut said)?;
            }
            child.wait_with_output().map(|output| Output { stdout: said, ..output })
        };
        Ran::of(spawn_blocking(wait).await.expect("it does not panic").expect("it is ours to wait for"))
    }
}

impl Ran {
    fn of(Output { status, stdout, stderr }: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("it says text");
        Self { code: status.code().expect("it ends by itself"), out: text(stdout), err: text(stderr) }
    }

    /// The same, if it ended like this, and if nothing that it said steers a terminal.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}\n{}", self.out, self.err);
        let steers = |c: char| c.is_control() && c != '\n' || matches!(c, '\u{202a}'..='\u{202e}');
        assert!(!(self.out.contains(steers) || self.err.contains(steers)), "{self:?}");
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("not JSON ({error}): {}", self.out))
    }
}
