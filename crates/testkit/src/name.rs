//! Names that no other test has.

use uuid::Uuid;

/// A name that is new on every server: letters, digits and `_` only, so that it needs no quoting anywhere.
pub(crate) fn unique() -> String {
    format!("test_{}", Uuid::now_v7().simple())
}
