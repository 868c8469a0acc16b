//! How the relay goes about its work.

use std::time::Duration;

/// How the relay goes about its work. The defaults suit a broker and a database near by.
#[derive(Clone, Debug)]
pub struct RelaySettings {
    /// The most messages that are read and recorded together.
    pub page_rows: u32,
    /// The most bytes of bodies that are read together; one message may be larger.
    pub page_bytes: u32,
    /// How many pages may be unconfirmed at a time. With more than one the broker never waits for the database.
    pub pages_in_flight: usize,
    /// How often the outbox is looked at without being woken.
    pub poll_every: Duration,
    /// How often a follower tries to lead.
    pub follow_every: Duration,
    /// How long a leader may be silent before Postgres ends its session, so that another can lead.
    pub silent_for: Duration,
    /// About how many messages a segment holds before the next one is begun.
    pub segment_rows: u32,
    /// How long a segment is written to, however little comes, so that what was sent does not lie there for ever.
    pub segment_for: Duration,
    /// How long a parked message waits for its second try; the wait doubles from there.
    pub retry_first: Duration,
    /// The longest wait of a parked message.
    pub retry_at_most: Duration,
    /// How long a stop waits for confirms of what is in flight.
    pub stop_within: Duration,
}

impl Default for RelaySettings {
    fn default() -> Self {
        Self {
            page_rows: 1024,
            page_bytes: 8 * 1024 * 1024,
            pages_in_flight: 3,
            poll_every: Duration::from_millis(250),
            follow_every: Duration::from_millis(250),
            silent_for: Duration::from_secs(3),
            segment_rows: 100_000,
            segment_for: Duration::from_secs(3600),
            retry_first: Duration::from_secs(1),
            retry_at_most: Duration::from_secs(60),
            stop_within: Duration::from_secs(5),
        }
    }
}
