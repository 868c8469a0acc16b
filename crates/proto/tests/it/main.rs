//! The services over a real connection, with all that a program serves beside them: the versions fit together, and what
//! `contracts` holds survives the way.

mod converting;
mod serving;
mod shop;
