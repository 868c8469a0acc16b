//! Tells the lines of heads and trailers from bodies, as far as that needs to be known to find line feeds without a carriage
//! return before them.
//!
//! Where it loses its way, as with a length after a hundred spaces, it takes a body for a head, and refuses too much.

/// As much of a line as is kept. All that matters is shorter.
const KEPT: usize = 64;

/// What takes the place of a line feed: it must not be in a head, wherever that is.
const INVALID: u8 = 0;

#[derive(Debug, Default)]
pub(super) struct Lines {
    part: Part,
    kept: Vec<u8>,
    /// The byte before the one that is looked at.
    last: u8,
    length: u64,
    chunked: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Part {
    #[default]
    FirstLine,
    Head,
    /// So many bytes that may be anything.
    Body(u64),
    ChunkSize,
    /// A chunk and its line break.
    Chunk(u64),
    Trailers,
    /// Not HTTP/1.
    Other,
    Refused,
}

impl Lines {
    /// Whether a line was refused. Nothing that comes after it is to be read.
    pub(super) fn are_refused(&self) -> bool {
        self.part == Part::Refused
    }

    /// Looks at the bytes that come next, and makes invalid what is to be refused.
    pub(super) fn check(&mut self, mut bytes: &mut [u8]) {
        while !bytes.is_empty() {
            let passed = match self.part {
                Part::Other | Part::Refused => return,
                Part::Body(left) => self.pass(left, bytes.len(), Part::Body, Part::FirstLine),
                Part::Chunk(left) => self.pass(left, bytes.len(), Part::Chunk, Part::ChunkSize),
                Part::FirstLine | Part::Head | Part::ChunkSize | Part::Trailers => self.line(bytes),
            };
            bytes = &mut bytes[passed..];
        }
    }

    fn pass(&mut self, left: u64, here: usize, same: fn(u64) -> Part, next: Part) -> usize {
        let passed = usize::try_from(left).map_or(here, |left| left.min(here));
        let left = left - passed as u64;
        self.part = if left == 0 { next } else { same(left) };
        passed
    }

    fn line(&mut self, bytes: &mut [u8]) -> usize {
        let end = bytes.iter().position(|&byte| byte == b'\n');
        let line = &bytes[..end.unwrap_or(bytes.len())];
        let room = KEPT - self.kept.len();
        self.kept.extend(&line[..line.len().min(room)]);
        self.last = line.last().copied().unwrap_or(self.last);
        let Some(end) = end else { return bytes.len() };
        if self.last == b'\r' {
            self.part = self.after_line();
            self.kept.clear();
            self.last = b'\n';
        } else {
            bytes[end] = INVALID;
            self.part = Part::Refused;
        }
        end + 1
    }

    fn after_line(&mut self) -> Part {
        let line = self.kept.strip_suffix(b"\r").unwrap_or(&self.kept);
        match self.part {
            Part::FirstLine if line.is_empty() => Part::FirstLine,
            Part::FirstLine if line == b"PRI * HTTP/2.0" => Part::Other,
            Part::FirstLine => {
                (self.length, self.chunked) = (0, false);
                Part::Head
            }
            Part::Head if line.is_empty() => match (self.chunked, self.length) {
                (true, _) => Part::ChunkSize,
                (false, 0) => Part::FirstLine,
                (false, length) => Part::Body(length),
            },
            Part::Head => {
                let colon = line.iter().position(|&byte| byte == b':').unwrap_or(line.len());
                let (name, value) = line.split_at(colon);
                if name.eq_ignore_ascii_case(b"transfer-encoding") {
                    self.chunked = true;
                } else if name.eq_ignore_ascii_case(b"content-length") {
                    self.length = number(value.get(1..).unwrap_or_default(), 10);
                }
                Part::Head
            }
            Part::ChunkSize => match number(line.split(|&byte| byte == b';').next().unwrap_or_default(), 16) {
                0 => Part::Trailers,
                size => Part::Chunk(size.saturating_add(2)),
            },
            Part::Trailers if line.is_empty() => Part::FirstLine,
            other => other,
        }
    }
}

/// What is none is refused by the parser.
fn number(text: &[u8], radix: u32) -> u64 {
    str::from_utf8(text).ok().and_then(|text| u64::from_str_radix(text.trim(), radix).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes after the check, which must not depend on how they arrive.
    fn checked(text: &str) -> String {
        let mut at_once = text.as_bytes().to_vec();
        Lines::default().check(&mut at_once);
        for size in [1, 2, 3, 7] {
            let mut in_pieces = text.as_bytes().to_vec();
            let mut lines = Lines::default();
            in_pieces.chunks_mut(size).for_each(|piece| lines.check(piece));
            assert_eq!(in_pieces, at_once, "in pieces of {size}: {text:?}");
        }
        String::from_utf8(at_once).unwrap()
    }

    #[test]
    fn bodies_may_have_any_bytes_and_heads_after_them_are_found() {
        for text in [
            "GET / HTTP/1.1\r\nhost: x\r\n\r\n",
            "\r\nGET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length:  4 \r\n\r\na\n\nbGET / HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n2;a=b\r\n\n\n\r\nC\r\n\n 9 \n 9 \n 9\n\r\n0\r\nt: v\r\n\r\nGET /\r\n",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\n\0\n",
        ] {
            assert_eq!(checked(text), text);
        }
    }

    #[test]
    fn a_bare_line_feed_is_made_invalid_wherever_a_line_ends() {
        for text in [
            "|",
            "GET / HTTP/1.1|",
            "GET / HTTP/1.1\r\nhost: x|",
            "GET / HTTP/1.1\r\nhost: x\r\n|",
            "GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1|",
            "POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\n\n\nGET / HTTP/1.1\r\nx: y|",
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\n\n\r\n0\r\nt: v|",
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\n\n\r\n0\r\n\r\nGET / HTTP/1.1|",
        ] {
            let text = format!("{text}host: y\r\n\r\n");
            assert_eq!(checked(&text.replace('|', "\n")), text.replace('|', "\0"));
        }
    }

    #[test]
    fn what_is_kept_of_a_line_is_bounded() {
        let mut lines = Lines::default();
        lines.check(&mut vec![b'x'; 1_000_000]);
        assert_eq!(lines.kept.len(), KEPT);
        let long = format!("GET / HTTP/1.1\r\nx: {}|y", "v".repeat(500));
        assert_eq!(checked(&long.replace('|', "\n")), long.replace('|', "\0"));
        let padded = format!("POST / HTTP/1.1\r\ncontent-length:{}2\r\n\r\n\n\n", " ".repeat(100));
        assert!(checked(&padded).contains('\0'), "what cannot be followed is refused");
    }
}
