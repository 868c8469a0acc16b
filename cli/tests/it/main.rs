//! `warren`, run as it is shipped, against services that the tests play.

mod help;
mod refused;
mod replay;
mod seed;
mod settings;
mod stub;
mod support;
