//! Runs the program.

use std::process::{Command, Output};

use serde_json::Value;

/// What a run of the program said, and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs the program with nothing in its environment, in a folder without a `.env`.
pub(crate) async fn warren(arguments: &[&str]) -> Ran {
    let arguments: Vec<_> = arguments.iter().map(ToString::to_string).collect();
    let run = move || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_warren"));
        command.args(arguments).env_clear().current_dir(env!("CARGO_TARGET_TMPDIR")).output()
    };
    let Output { status, stdout, stderr } =
        tokio::task::spawn_blocking(run).await.expect("it does not panic").expect("the program was built");
    let text = |bytes| String::from_utf8(bytes).expect("it says text");
    Ran { code: status.code().expect("it ends by itself"), out: text(stdout), err: text(stderr) }
}

impl Ran {
    /// The same, if it ended like this.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}\n{}", self.out, self.err);
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("not JSON ({error}): {}", self.out))
    }
}
