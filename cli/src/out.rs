//! What is said. Whoever reads it may go away, which is no failure; and whatever others have written into it, it steers no terminal.

use std::fmt::Write as _;
use std::io::{Write, stderr, stdout};

use serde_json::Value;

/// A line on standard output. Whether anybody still reads.
pub(crate) fn line(text: &str) -> bool {
    writeln!(stdout().lock(), "{}", harmless(text)).is_ok()
}

/// A JSON value on standard output, as one line. Whether anybody still reads.
pub(crate) fn json(value: &Value) -> bool {
    writeln!(stdout().lock(), "{}", escaped(&value.to_string())).is_ok()
}

/// A line on standard error.
pub(crate) fn error(text: &str) {
    // Without anybody who reads there is nobody to tell.
    let _ = writeln!(stderr().lock(), "{}", harmless(text));
}

/// The beginning of a text, at most so many characters; `…` stands for the rest.
pub(crate) fn beginning(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn harmless(text: &str) -> String {
    text.chars().map(|c| if steers(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// JSON that means the same. These characters stand in texts only; of them JSON must escape some, and may escape all.
fn escaped(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        if steers(c) {
            write!(escaped, "\\u{:04x}", u32::from(c)).expect("a string can be written to");
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// Control characters, and those that turn the direction of what follows or end a line.
fn steers(c: char) -> bool {
    let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || turns || matches!(c, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const WRONG: &str = "a\u{1b}[2J\u{9b}31m\u{7f}\r\n\u{202e}b";

    #[test]
    fn what_is_said_steers_no_terminal() {
        assert_eq!(harmless(WRONG), "a\u{fffd}[2J\u{fffd}31m\u{fffd}\u{fffd}\u{fffd}\u{fffd}b");
        assert_eq!(harmless("Zoë, 中"), "Zoë, 中");
    }

    #[test]
    fn of_a_text_that_is_too_long_the_beginning_is_told() {
        assert_eq!((beginning("Zoë", 3).as_str(), beginning("Zoë!", 3).as_str()), ("Zoë", "Zoë…"));
    }

    #[test]
    fn json_means_the_same_and_steers_no_terminal_either() {
        let value = json!({ WRONG: [WRONG, "Zoë"] });
        let text = escaped(&value.to_string());
        assert!(!text.chars().any(steers) && text.contains("Zoë"), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }
}
