//! Cursor pages: `?limit=&after=`.

use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::{ApiError, ApiResult, FieldError};

const DEFAULT: u32 = 100;

/// Which page of a list is asked for, by the id of the last thing on the page before.
///
/// For a list that can also be searched, the parameters are fields of a type of its own: `serde(flatten)` does not go with
/// queries. Their limit is a [`Limit`] as well.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// How many at most; 100 if not given.
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
    /// Where to go on: `next` of the page before.
    pub after: Option<Uuid>,
}

impl Page {
    /// The limit that was asked for, or the usual one.
    ///
    /// # Errors
    /// 422 if it is none.
    pub fn limit(&self) -> ApiResult<Limit> {
        Limit::of(self.limit)
    }
}

/// How many things a page holds at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit(u32);

impl Limit {
    /// The largest page.
    pub const LARGEST: u32 = 1_000;

    /// The limit that was asked for, or the usual one.
    ///
    /// # Errors
    /// 422 if it is none.
    pub fn of(asked: Option<u32>) -> ApiResult<Self> {
        match asked.unwrap_or(DEFAULT) {
            limit @ 1..=Self::LARGEST => Ok(Self(limit)),
            _ => {
                let detail = format!("must be from 1 to {}", Self::LARGEST);
                Err(ApiError::unprocessable([FieldError::new("limit", detail)]))
            }
        }
    }

    /// As a number.
    pub fn get(self) -> u32 {
        self.0
    }

    /// One more than fits: it tells whether there is another page.
    pub fn with_one_more(self) -> i64 {
        i64::from(self.0) + 1
    }

    /// Cuts off the one more. Returns the last thing of the page if another page follows it.
    pub fn cut<T>(self, found: &mut Vec<T>) -> Option<&T> {
        let more = found.len() > self.0 as usize;
        found.truncate(self.0 as usize);
        found.last().filter(|_| more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_page_follows_only_if_something_is_left_for_it() {
        let limit = Limit::of(Some(2)).unwrap();
        let (mut two, mut three) = (vec![1, 2], vec![1, 2, 3]);
        assert_eq!((limit.cut(&mut two), limit.cut(&mut three)), (None, Some(&2)));
        assert_eq!((two, three), (vec![1, 2], vec![1, 2]));
    }

    #[test]
    fn a_limit_has_bounds() {
        assert_eq!(Limit::of(None).unwrap(), Limit(100));
        for wrong in [0, 1_001] {
            assert_eq!(Limit::of(Some(wrong)).unwrap_err().status(), 422);
        }
    }
}
