//! `.env.example`, compared with what programs read.

use std::collections::BTreeSet;
use std::path::Path;

use clap::Command;

/// The variables that `.env.example` names, set or commented out.
///
/// # Panics
/// If there is no such file.
pub fn env_example() -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.env.example");
    let text = std::fs::read_to_string(&path).expect("`.env.example` is in the repository");
    text.lines()
        .filter_map(|line| line.trim_start_matches('#').split_once('='))
        .map(|(name, _)| name.to_owned())
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_'))
        .collect()
}

/// Finds each variable that the program reads in `.env.example`.
///
/// # Panics
/// If one is not there.
pub fn every_variable_is_documented(program: &Command) {
    let example = env_example();
    let variables = program.get_arguments().filter_map(|argument| argument.get_env()?.to_str());
    let missing: Vec<_> = variables.filter(|variable| !example.contains(*variable)).collect();
    assert!(missing.is_empty(), "not in .env.example: {missing:?}");
}
