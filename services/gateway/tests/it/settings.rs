//! The settings, as they are documented.

use clap::CommandFactory;
use gateway::Config;
use testkit::Program;

#[test]
fn every_variable_of_the_program_is_in_the_example() {
    testkit::every_variable_is_documented(&Config::command());
}

#[tokio::test]
async fn who_cannot_use_its_settings_does_not_say_that_it_listens() {
    let gateway = Program::cargo_bin("gateway")
        .env("LISTEN", format!("127.0.0.1:{}", testkit::free_port()))
        .env("ENVIRONMENT", "production")
        .start()
        .await;
    assert_ne!(gateway.exit_code().await, 0);
    let logs = gateway.logs();
    assert!(logs.contains("JWT_SECRET") && !logs.contains("listening"), "{logs}");
}
