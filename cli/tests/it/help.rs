//! The manual.

use crate::support::warren;

/// All of it.
pub(crate) const PAGES: [&[&str]; 13] = [
    &["--help"],
    &["doctor", "--help"],
    &["demo", "--help"],
    &["tail", "--help"],
    &["dead-letters", "--help"],
    &["dead-letters", "list", "--help"],
    &["dead-letters", "show", "--help"],
    &["dead-letters", "redrive", "--help"],
    &["dead-letters", "purge", "--help"],
    &["reindex", "--help"],
    &["seed", "--help"],
    &["replay", "--help"],
    &["completions", "--help"],
];

#[tokio::test]
async fn the_manual_is_as_it_was() {
    let mut manual = String::new();
    for arguments in PAGES {
        manual += &format!("$ warren {}\n{}\n", arguments.join(" "), warren(arguments).await.expect(0).out);
    }
    insta::assert_snapshot!("help", manual);
}

#[tokio::test]
async fn shells_complete_the_tasks() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let run = warren(&["completions", shell]).await;
        assert_eq!(run.code, 0, "{}", run.err);
        for word in ["doctor", "demo", "tail", "dead-letters", "redrive", "dry-run", "reindex", "replay", "owners"] {
            assert!(run.out.contains(word), "{shell} does not complete {word}: {}", run.out);
        }
    }
}
