//! The limits beside which Warren is put: what the same servers, or the machine, can do without it.

pub(crate) mod by_hand;
pub(crate) mod disk;
pub(crate) mod hashing;
pub(crate) mod mongo;
pub(crate) mod nginx;
pub(crate) mod perftest;
pub(crate) mod pgbench;
pub(crate) mod raw;
