//! Reads server-sent events from a stream that may be cut anywhere, within a bound.

/// What has come of the present event.
#[derive(Debug)]
pub(super) struct Events {
    max: usize,
    line: Vec<u8>,
    /// The last byte was a carriage return, so that a line feed after it ends no further line.
    after_return: bool,
    name: String,
    data: String,
}

/// An event as it was sent. Its id is not needed: after a pause the registry tells everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Event<'a> {
    pub(super) name: &'a str,
    pub(super) data: &'a str,
}

impl Events {
    /// `max` is the most that one event may have.
    pub(super) fn new(max: usize) -> Self {
        Self { max, line: Vec::new(), after_return: false, name: String::new(), data: String::new() }
    }

    /// Takes a part of the stream, and gives each event that it completes to `take`.
    pub(super) fn push(
        &mut self,
        bytes: &[u8],
        mut take: impl FnMut(Event<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            let empty_after_return = self.after_return && end == 0 && self.line.is_empty() && rest[0] == b'\n';
            self.after_return = rest[end] == b'\r';
            if !empty_after_return {
                self.extend(&rest[..end])?;
                self.end_line(&mut take)?;
            }
            rest = &rest[end + 1..];
        }
        if !rest.is_empty() {
            self.after_return = false;
            self.extend(rest)?;
        }
        Ok(())
    }

    fn extend(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        let size = self.line.len() + bytes.len() + self.data.len();
        anyhow::ensure!(size <= self.max, "an event is larger than {} bytes", self.max);
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn end_line(&mut self, take: &mut impl FnMut(Event<'_>) -> anyhow::Result<()>) -> anyhow::Result<()> {
        if self.line.is_empty() {
            let complete = !self.data.is_empty();
            let taken = if complete {
                take(Event { name: &self.name, data: self.data.trim_end_matches('\n') })
            } else {
                Ok(())
            };
            self.name.clear();
            self.data.clear();
            return taken;
        }
        let line = std::str::from_utf8(&self.line)?;
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.name),
            "data" => {
                self.data.push_str(value);
                self.data.push('\n');
            }
            // A comment, which keeps the connection alive, or something we do not need.
            _ => {}
        }
        self.line.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(parts: &[&[u8]]) -> anyhow::Result<Vec<(String, String)>> {
        let mut events = Events::new(64);
        let mut read = Vec::new();
        for part in parts {
            events.push(part, |event| {
                read.push((event.name.to_owned(), event.data.to_owned()));
                Ok(())
            })?;
        }
        Ok(read)
    }

    #[test]
    fn events_have_a_name_and_lines_of_data() {
        let stream =
            b": hello\n\nevent: instances\nid: 7\ndata: {\"a\":\ndata:1}\n\nretry: 5\n\ndata: b\n\ndata: never ended";
        let events = read(&[stream]).unwrap();
        assert_eq!(events, [("instances".into(), "{\"a\":\n1}".into()), (String::new(), "b".into())]);
    }

    #[test]
    fn too_much_is_an_error_wherever_it_is() {
        assert!(read(&[&[b'x'; 65]]).is_err());
        assert!(read(&[&[b'x'; 40], &[b'x'; 40]]).is_err());
        let lines = b"data: 123456789\n".repeat(8);
        assert!(read(&[&lines]).is_err());
        assert!(read(&[&b"data: 123456789\n\n".repeat(8)]).is_ok());
    }

    proptest! {
        #[test]
        fn where_the_stream_is_cut_and_how_lines_end_changes_nothing(
            cuts in prop::collection::vec(0..70_usize, 0..8),
            ending in prop::sample::select(vec!["\n", "\r\n", "\r"]),
        ) {
            let lines = ["event: instances", "data: ü1", "", ": ping", "", "data: 2", "data: 3", "", "event: x", "data: 4", "", ""];
            let stream = lines.join(ending).into_bytes();
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(stream.len())).collect();
            cuts.sort_unstable();
            let mut parts = Vec::new();
            let mut from = 0;
            for cut in cuts.into_iter().chain([stream.len()]) {
                parts.push(&stream[from..cut]);
                from = cut;
            }
            let expected = [("instances", "ü1"), ("", "2\n3"), ("x", "4")];
            let expected = expected.map(|(name, data)| (name.to_owned(), data.to_owned()));
            prop_assert_eq!(read(&parts).unwrap(), expected);
        }
    }
}
