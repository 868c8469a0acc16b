//! The settings, as they are documented.

use bridge::{Config, start};
use clap::{CommandFactory, Parser};
use tokio_util::sync::CancellationToken;

#[test]
fn every_variable_of_the_program_is_in_the_example() {
    testkit::every_variable_is_documented(&Config::command());
}

async fn refused(arguments: &[&str]) -> String {
    let arguments = ["bridge", "--listen=127.0.0.1:0"].iter().chain(arguments);
    let config = Config::try_parse_from(arguments).expect("each setting by itself is right");
    format!("{:#}", start(config, CancellationToken::new()).await.expect_err("the bridge does not start"))
}

#[tokio::test]
async fn a_bridge_to_nowhere_or_with_half_an_account_says_so() {
    assert!(refused(&[]).await.contains("neither KAFKA_BROKERS nor INFLUXDB_URL is set"));
    assert!(refused(&["--kafka-brokers=", "--influxdb-url= "]).await.contains("neither"));
    let half = refused(&["--influxdb-url=http://127.0.0.1:1", "--influxdb-bucket=b"]).await;
    assert!(half.contains("INFLUXDB_TOKEN"), "{half}");
    let wrong = refused(&["--influxdb-url=user:hunter2@host"]).await;
    assert!(wrong.contains("INFLUXDB_URL") && !wrong.contains("hunter2"), "{wrong}");
}
