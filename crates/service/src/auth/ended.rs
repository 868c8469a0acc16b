//! Sessions that have ended before their tokens expire, as Redis knows them.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use contracts::sessions::ended_session_key;
use redis::RedisError;
use redis::aio::ConnectionManager;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use crate::Together;

/// Longer than this no answer is waited for. Who comes while Redis is asked waits for the next answer too.
const LIMIT: Duration = Duration::from_millis(200);

/// For how long Redis is not asked again after it has not answered.
const LEFT_ALONE: Duration = Duration::from_secs(1);

/// While Redis is away no session counts as ended: tokens live for minutes, and its outage must not be one of everything.
pub(super) struct EndedSessions {
    redis: Arc<Redis>,
    together: Together<Uuid, Option<Arc<[bool]>>>,
}

struct Redis {
    connection: ConnectionManager,
    /// Until when Redis is left alone; set for as long as it is away.
    away: Mutex<Option<Instant>>,
}

impl EndedSessions {
    pub(super) fn new(connection: ConnectionManager) -> Self {
        Self { redis: Arc::new(Redis { connection, away: Mutex::default() }), together: Together::default() }
    }

    pub(super) async fn contains(&self, session_id: Uuid) -> bool {
        if !self.redis.is_left_alone() {
            let redis = self.redis.clone();
            let asked = self.together.ask(session_id, async move |sessions| redis.which_ended(&sessions).await);
            if let (place, Some(ended)) = asked.await {
                return ended[place];
            }
        }
        metrics::counter!("auth_unchecked_total").increment(1);
        false
    }
}

impl Redis {
    /// Which of these sessions have ended; `None` while it is away.
    async fn which_ended(&self, sessions: &[Uuid]) -> Option<Arc<[bool]>> {
        if !self.may_be_asked() {
            return None;
        }
        let failure = match timeout(LIMIT, self.ask(sessions)).await {
            Ok(Ok(ended)) => {
                if self.away().take().is_some() {
                    tracing::info!("Redis is back: sessions that have ended are known again");
                }
                return Some(ended);
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} ms", LIMIT.as_millis()),
        };
        if self.away().replace(Instant::now() + LEFT_ALONE).is_none() {
            tracing::warn!(error = failure, "Redis is away: tokens of sessions that have ended are accepted meanwhile");
        }
        None
    }

    /// Most requests at a time are those of a few sessions, so each is named once.
    async fn ask(&self, sessions: &[Uuid]) -> Result<Arc<[bool]>, RedisError> {
        let named: Vec<Uuid> = sessions.iter().copied().collect::<HashSet<_>>().into_iter().collect();
        let mut question = redis::cmd("MGET");
        for session in &named {
            question.arg(ended_session_key(*session));
        }
        let mut connection = self.connection.clone();
        let values: Vec<Option<Vec<u8>>> = match question.query_async(&mut connection).await {
            // A connection that was lost since it was last used is made again at once.
            Err(error) if error.is_io_error() => question.query_async(&mut connection).await?,
            answer => answer?,
        };
        let ended = named.iter().zip(values).filter_map(|(session, value)| value.map(|_| *session));
        let ended: HashSet<Uuid> = ended.collect();
        Ok(sessions.iter().map(|session| ended.contains(session)).collect())
    }

    fn is_left_alone(&self) -> bool {
        self.away().is_some_and(|until| until > Instant::now())
    }

    /// One question at a time finds out whether it is back.
    fn may_be_asked(&self) -> bool {
        let mut away = self.away();
        match *away {
            None => true,
            Some(until) if until > Instant::now() => false,
            Some(_) => {
                *away = Some(Instant::now() + LEFT_ALONE);
                true
            }
        }
    }

    fn away(&self) -> MutexGuard<'_, Option<Instant>> {
        self.away.lock().expect("nothing panics while it holds this lock")
    }
}
