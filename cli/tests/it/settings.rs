//! The settings, as they are documented.

use std::collections::BTreeSet;

use crate::help::PAGES;
use crate::support::warren;

#[tokio::test]
async fn every_variable_of_the_program_is_in_the_example() {
    let example = testkit::env_example();
    let mut variables = BTreeSet::new();
    for page in PAGES {
        let help = warren(page).await.expect(0).out;
        let named = help.split("[env: ").skip(1).filter_map(|rest| rest.split(['=', ']']).next());
        variables.extend(named.map(str::to_owned));
    }
    assert_eq!(variables.len(), 16, "{variables:?}");
    let missing: Vec<_> = variables.iter().filter(|variable| !example.contains(variable.as_str())).collect();
    assert!(missing.is_empty(), "not in .env.example: {missing:?}");
}
