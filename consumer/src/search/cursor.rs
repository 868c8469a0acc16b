//! Where the next page begins, as clients carry it.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// The last hit of a page. As text it tells clients nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cursor {
    pub(super) score: f32,
    pub(super) id: Uuid,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}{}", self.score.to_bits(), self.id.simple())
    }
}

/// What was given is no cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be `next` of the page before")]
pub struct NoCursor;

impl FromStr for Cursor {
    type Err = NoCursor;

    fn from_str(text: &str) -> Result<Self, NoCursor> {
        let (score, id) = text.split_at_checked(8).ok_or(NoCursor)?;
        let score = f32::from_bits(u32::from_str_radix(score, 16).map_err(|_| NoCursor)?);
        let id = Uuid::try_parse(id).map_err(|_| NoCursor)?;
        let cursor = Self { score, id };
        // One way to write it: what was not made here is not taken.
        (score.is_finite() && cursor.to_string() == text).then_some(cursor).ok_or(NoCursor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_comes_back_as_it_was() {
        let cursor = Cursor { score: 42.5, id: Uuid::now_v7() };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
    }

    #[test]
    fn anything_else_is_refused() {
        let id = Uuid::nil().simple();
        for wrong in ["", "1", "é", &format!("ffffffff{id}"), &format!("+2290000{id}"), &format!("42290000{id} ")] {
            assert_eq!(wrong.parse::<Cursor>(), Err(NoCursor), "{wrong}");
        }
    }
}
