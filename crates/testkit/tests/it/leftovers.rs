//! What a killed test leaves behind, the next one takes away.

use std::process::Command;

use testkit::{Program, eventually};

const STARTED: &str = "started: ";

#[tokio::test]
async fn a_server_that_a_killed_test_left_is_killed_by_the_next_test() {
    let killed = another_process("leftovers::a_test_that_is_killed");
    let pid = killed.lines().find_map(|line| line.split_once(STARTED)).expect("it starts a server").1;
    another_process("leftovers::the_next_test");
    let gone = || async { (!std::fs::exists(format!("/proc/{pid}")).unwrap_or(true)).then_some(()) };
    eventually("the server is gone", gone).await;
}

#[tokio::test]
#[ignore = "run by a_server_that_a_killed_test_left_is_killed_by_the_next_test"]
async fn a_test_that_is_killed() {
    let server = testkit::private_redis().await;
    println!("{STARTED}{}", server.pid());
    std::process::abort();
}

#[test]
#[ignore = "run by a_server_that_a_killed_test_left_is_killed_by_the_next_test"]
fn the_next_test() {
    drop(Program::cargo_bin("any"));
}

fn another_process(test: &str) -> String {
    let this = std::env::current_exe().expect("the test knows its own file");
    let output = Command::new(this).args(["--exact", test, "--ignored", "--nocapture"]).output();
    String::from_utf8(output.expect("the test can be run").stdout).expect("tests write text")
}
