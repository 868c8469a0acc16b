//! A body that comes part by part: lines, or events.

use reqwest::Response;
use serde::de::DeserializeOwned;

use crate::api;
use crate::failure::Failure;

/// No part is longer.
const MAX_PART: usize = 1024 * 1024;

/// What ends a line.
pub(crate) const LINES: &[u8] = b"\n";

/// What ends a server-sent event.
pub(crate) const EVENTS: &[u8] = b"\n\n";

/// The parts of a body, as they come.
#[derive(Debug)]
pub(crate) struct Parts {
    url: String,
    response: Response,
    end: &'static [u8],
    buffer: Vec<u8>,
}

impl Parts {
    pub(crate) fn new(url: &str, response: Response, end: &'static [u8]) -> Self {
        Self { url: url.to_owned(), response, end, buffer: Vec::new() }
    }

    /// The next line, which is JSON.
    pub(crate) async fn next_json<T: DeserializeOwned>(&mut self) -> Result<Option<T>, Failure> {
        let Some(line) = self.next().await? else { return Ok(None) };
        let understood = serde_json::from_slice(&line).map(Some);
        understood.map_err(|error| Failure::Wrong(format!("a line of the answer is not understood: {error}")))
    }

    /// The next part, without what ends it; none once the body has ended. Whatever is unfinished then is left out.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        let mut looked_at = 0;
        loop {
            let (url, length) = (&self.url, self.end.len());
            if let Some(at) = self.buffer[looked_at..].windows(length).position(|bytes| bytes == self.end) {
                let mut part: Vec<u8> = self.buffer.drain(..looked_at + at + length).collect();
                part.truncate(part.len() - length);
                return Ok(Some(part));
            }
            looked_at = (self.buffer.len() + 1).saturating_sub(length);
            if self.buffer.len() > MAX_PART {
                return Err(Failure::Wrong(format!("{url} sends more at once than is read")));
            }
            match self.response.chunk().await {
                Ok(Some(bytes)) => self.buffer.extend_from_slice(&bytes),
                Ok(None) => return Ok(None),
                Err(error) => return Err(Failure::Away(format!("{url} was cut off: {}", api::told(error)))),
            }
        }
    }
}
