//! `warren`, run as it is shipped, against services that the tests play, and real servers.

mod dead_letters;
mod demo;
mod doctor;
mod help;
mod refused;
mod reindex;
mod replay;
mod scripted;
mod seed;
mod settings;
mod stub;
mod support;
mod tail;
