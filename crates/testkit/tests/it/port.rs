//! No port is handed out twice.

use std::collections::HashSet;
use std::net::TcpListener;
use std::process::Command;
use std::thread;

/// Set for the test processes that one test starts.
const LISTED: &str = "ports: ";

#[test]
fn threads_and_processes_never_get_the_same_port() {
    let others: Vec<_> = (0..2).map(|_| thread::spawn(ports_of_another_process)).collect();
    let threads: Vec<_> = (0..4).map(|_| thread::spawn(|| (0..100).map(|_| testkit::free_port()).collect())).collect();
    let all: Vec<Vec<u16>> =
        others.into_iter().chain(threads).map(|thread| thread.join().expect("it hands out ports")).collect();
    let different: HashSet<u16> = all.iter().flatten().copied().collect();
    assert_eq!(all.iter().map(Vec::len).collect::<Vec<_>>(), [100; 6]);
    assert_eq!(different.len(), 600);
    assert!(different.iter().all(|port| *port < 32_768));
}

/// Runs the test below in a process of its own, which keeps its ports while this one takes some.
fn ports_of_another_process() -> Vec<u16> {
    let test = std::env::current_exe().expect("the test knows its own file");
    let output = Command::new(test)
        .args(["--exact", "port::another_process", "--ignored", "--nocapture"])
        .output()
        .expect("the test can be run");
    let output = String::from_utf8(output.stdout).expect("tests write text");
    let ports = output.lines().find_map(|line| line.split_once(LISTED)).expect("it lists its ports").1;
    ports.split(' ').map(|port| port.parse().expect("it lists numbers")).collect()
}

#[test]
#[ignore = "run by threads_and_processes_never_get_the_same_port"]
fn another_process() {
    let ports: Vec<String> = (0..100).map(|_| testkit::free_port().to_string()).collect();
    println!("{LISTED}{}", ports.join(" "));
    // Until the others have theirs, or nearly so: a lock that ended with this process would prove nothing.
    thread::sleep(std::time::Duration::from_millis(500));
}

#[test]
fn a_free_port_can_be_listened_on() {
    let port = testkit::free_port();
    TcpListener::bind(("127.0.0.1", port)).expect("nobody listens on a free port");
}
