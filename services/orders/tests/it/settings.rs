//! The settings, as they are documented.

use clap::CommandFactory;
use orders::Config;

#[test]
fn every_variable_of_the_program_is_in_the_example() {
    testkit::every_variable_is_documented(&Config::command());
}
