//! `.env.example`, compared with what programs read.

use std::collections::BTreeSet;
use std::path::Path;

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
