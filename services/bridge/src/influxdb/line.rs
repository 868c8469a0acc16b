//! InfluxDB's line protocol: one point a line. Whatever a tag or text holds, it stays one line and one value.

use std::fmt::Write;

/// A point being written down; tags come before fields, and one field is needed.
#[derive(Debug)]
pub(super) struct Line {
    text: String,
    has_fields: bool,
}

impl Line {
    /// A measurement has a plain name.
    pub(super) fn of(measurement: &'static str) -> Self {
        Self { text: measurement.to_owned(), has_fields: false }
    }

    /// An empty value would not be a value, so it is left out.
    pub(super) fn tag(mut self, name: &'static str, value: &str) -> Self {
        let value = tag_value(value);
        if !value.is_empty() {
            self.text.extend([",", name, "=", &value]);
        }
        self
    }

    pub(super) fn int(mut self, name: &'static str, value: i64) -> Self {
        self.field(name);
        let _ = write!(self.text, "{value}i");
        self
    }

    /// The protocol has no form for what is not a number.
    pub(super) fn float(mut self, name: &'static str, value: f64) -> Self {
        if value.is_finite() {
            self.field(name);
            let _ = write!(self.text, "{value}");
        }
        self
    }

    pub(super) fn text(mut self, name: &'static str, value: &str) -> Self {
        self.field(name);
        self.text.push('"');
        for character in value.chars() {
            if matches!(character, '"' | '\\') {
                self.text.push('\\');
            }
            // Allowed in a text; but so a line is always a line.
            self.text.push(if character.is_control() { ' ' } else { character });
        }
        self.text.push('"');
        self
    }

    /// The whole line, at this time.
    pub(super) fn at(mut self, nanoseconds: i64) -> String {
        let _ = writeln!(self.text, " {nanoseconds}");
        self.text
    }

    fn field(&mut self, name: &'static str) {
        self.text.extend([if self.has_fields { "," } else { " " }, name, "="]);
        self.has_fields = true;
    }
}

/// The protocol has no escape for line ends, nor for a backslash before what follows the value.
fn tag_value(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for character in value.trim_end_matches('\\').chars() {
        if matches!(character, ',' | '=' | ' ') || character.is_control() {
            escaped.push('\\');
        }
        escaped.push(if character.is_control() { ' ' } else { character });
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_one_line() {
        let line = Line::of("events").tag("service", "producer").tag("type", "user.created");
        let line = line.int("count", 1).float("latency_ms", 1.5).text("id", "a").at(7);
        assert_eq!(line, "events,service=producer,type=user.created count=1i,latency_ms=1.5,id=\"a\" 7\n");
    }

    #[test]
    fn what_a_tag_holds_never_ends_it() {
        for (value, escaped) in [
            ("a b,c=d", r"a\ b\,c\=d"),
            ("line\nbreak\r\n", r"line\ break\ \ "),
            ("na\u{ef}ve \u{1f407}", "na\u{ef}ve\\ \u{1f407}"),
            (r#"say "hi""#, r#"say\ "hi""#),
            (r"back\slash", r"back\slash"),
            (r"end\\", "end"),
            (r"a\,b", r"a\\,b"),
        ] {
            assert_eq!(tag_value(value), escaped);
        }
        assert_eq!(Line::of("m").tag("t", "").tag("u", "\\").int("f", 1).at(1), "m f=1i 1\n");
    }

    #[test]
    fn what_a_text_holds_never_ends_it() {
        let line = Line::of("m").text("f", "say \"hi\"\\\n\u{1f407}").at(1);
        assert_eq!(line, "m f=\"say \\\"hi\\\"\\\\ \u{1f407}\" 1\n");
    }

    #[test]
    fn what_is_not_a_number_is_left_out() {
        assert_eq!(Line::of("m").float("f", f64::NAN).int("g", -1).at(1), "m g=-1i 1\n");
    }
}
