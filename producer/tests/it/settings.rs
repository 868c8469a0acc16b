//! The settings, as they are documented.

use clap::CommandFactory;
use producer::Config;

#[test]
fn every_variable_of_the_program_is_in_the_example() {
    let example = testkit::env_example();
    let command = Config::command();
    let variables = command.get_arguments().filter_map(|argument| argument.get_env()?.to_str());
    let missing: Vec<_> = variables.filter(|variable| !example.contains(*variable)).collect();
    assert!(missing.is_empty(), "not in .env.example: {missing:?}");
}
