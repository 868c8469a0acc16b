//! What a new user is told.

/// A subject stays readable in a list of mails.
const MAX_CHARS: usize = 60;

/// Subject and text for a user of this name.
pub fn welcome(name: &str) -> (String, String) {
    let name = displayed(name);
    let (subject, greeting) = if name.is_empty() {
        ("Welcome to Warren".to_owned(), "Hello,".to_owned())
    } else {
        (format!("Welcome to Warren, {name}"), format!("Hello {name},"))
    };
    let text = format!(
        "{greeting}\n\n\
         it is good to have you here. Your account is ready: log in with your e-mail address and the password that you \
         chose.\n\n\
         If you did not sign up for Warren, please ignore this mail.\n\n\
         Your Warren team\n"
    );
    (subject, text)
}

/// A name in one line, that leaves alone what stands around it, and of modest length.
fn displayed(name: &str) -> String {
    let visible = |c: char| if c.is_control() { ' ' } else { c };
    let name: String = name.chars().filter(|c| !turns_direction(*c)).map(visible).collect();
    let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
    if name.chars().count() <= MAX_CHARS {
        return name;
    }
    let cut: String = name.chars().take(MAX_CHARS - 1).collect();
    // A picture that is put together of several is not to end in its glue.
    let cut = cut.trim_end_matches(|c: char| c.is_whitespace() || matches!(c, '\u{200d}' | '\u{fe00}'..='\u{fe0f}'));
    format!("{cut}…")
}

/// Marks, embeddings, overrides and isolates: letters have a direction of their own without them.
fn turns_direction(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_in_its_line_and_leaves_the_rest_alone() {
        for (name, shown) in [
            ("Ada Lovelace", "Ada Lovelace"),
            ("  Ada\r\nBcc: x\t\u{0}Lovelace ", "Ada Bcc: x Lovelace"),
            ("שלום", "שלום"),
            ("\u{202e}adA\u{2066}", "adA"),
            ("José 😀", "José 😀"),
            ("\u{2028}\n", ""),
        ] {
            assert_eq!(displayed(name), shown, "{name:?}");
        }
        assert_eq!(welcome(" ").0, "Welcome to Warren");
        assert!(welcome("Ada").1.starts_with("Hello Ada,\n"));
    }

    #[test]
    fn a_long_name_is_cut_between_characters() {
        let shown = displayed(&"é".repeat(200));
        assert_eq!((shown.chars().count(), shown.ends_with("é…")), (MAX_CHARS, true));
        // 59 characters end after the first picture's glue.
        let family = format!("{}👨\u{200d}👩\u{200d}👧", "x".repeat(57));
        assert_eq!(displayed(&family), format!("{}👨…", "x".repeat(57)));
    }
}
