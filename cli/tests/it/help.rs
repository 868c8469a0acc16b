//! The manual.

use crate::support::warren;

#[tokio::test]
async fn the_manual_is_as_it_was() {
    let mut manual = String::new();
    for arguments in [&["--help"][..], &["seed", "--help"], &["replay", "--help"], &["completions", "--help"]] {
        manual += &format!("$ warren {}\n{}\n", arguments.join(" "), warren(arguments).await.expect(0).out);
    }
    insta::assert_snapshot!("help", manual);
}

#[tokio::test]
async fn shells_complete_the_tasks() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let run = warren(&["completions", shell]).await.expect(0);
        assert!(run.out.contains("replay") && run.out.contains("owners"), "{shell}: {}", run.out);
    }
}
