//! What a test owns on the servers that Warren can do without, and that it is gone afterwards.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use testkit::{TestInflux, eventually, query_on};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use url::Url;

#[tokio::test]
async fn a_dropped_search_takes_its_indices_and_aliases_with_it_and_no_others() {
    let (other, search) = (testkit::search().await, testkit::search().await);
    let client = reqwest::Client::new();
    let kept = format!("{}/{}", other.url(), other.index("users"));
    let gone = format!("{}/{}", search.url(), search.index("users"));
    for (index, alias) in [(&kept, other.prefix()), (&gone, search.prefix())] {
        let made = client.put(index).json(&json!({ "aliases": { alias: {} } })).send().await.expect("it answers");
        assert_eq!(made.status(), StatusCode::OK, "{}", made.text().await.expect("it ends in order"));
    }
    let alias = format!("{}/{}", search.url(), search.prefix());
    drop(search);
    assert_eq!(client.head(&kept).send().await.expect("it answers").status(), StatusCode::OK);
    assert_eq!(client.head(&gone).send().await.expect("it answers").status(), StatusCode::NOT_FOUND);
    assert_eq!(client.head(&alias).send().await.expect("it answers").status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn eight_influx_databases_at_once_are_eight() {
    let mut tests = tokio::task::JoinSet::new();
    for number in 0..8 {
        tests.spawn(async move {
            let influx = testkit::influxdb().await;
            write(&influx, &format!("m,who=a n={number}i 7")).await;
            let rows = influx.query("SELECT n FROM m GROUP BY who").await;
            assert_eq!(rows, [json!({ "who": "a", "time": 7, "n": number })]);
            assert_eq!(influx.query("SELECT n FROM nothing").await, Vec::<Value>::new());
        });
    }
    tests.join_all().await;
}

#[tokio::test]
async fn a_dropped_influx_database_is_gone() {
    let (other, influx) = (testkit::influxdb().await, testkit::influxdb().await);
    let name = influx.database().to_owned();
    drop(influx);
    let rows = other.query("SHOW DATABASES").await;
    let names: Vec<&str> = rows.iter().filter_map(|row| row["name"].as_str()).collect();
    assert!(names.contains(&other.database()), "{names:?}");
    assert!(!names.contains(&name.as_str()), "{names:?}");
}

async fn write(influx: &TestInflux, line: &str) {
    write_to(influx.url(), influx.database(), line).await;
}

async fn write_to(url: &str, database: &str, line: &str) {
    let request = reqwest::Client::new().post(format!("{url}/write")).query(&[("db", database)]).body(line.to_owned());
    let answer = request.send().await.expect("it answers");
    assert_eq!(answer.status(), StatusCode::NO_CONTENT, "{}", answer.text().await.expect("it ends in order"));
}

#[tokio::test]
async fn a_dropped_bucket_is_emptied_and_gone() {
    let s3 = testkit::s3().await;
    assert_eq!(s3.keys().await, Vec::<String>::new());
    let client = reqwest::Client::new();
    let bucket = format!("{}/{}", s3.url(), s3.bucket());
    for (path, body) in [("", ""), ("/a/1", "x"), ("/b", "x")] {
        let answer = client.put(format!("{bucket}{path}")).header("content-type", "image/png").body(body).send().await;
        assert_eq!(answer.expect("it answers").status(), StatusCode::OK);
    }
    assert_eq!(s3.keys().await, ["a/1", "b"]);
    drop(s3);
    assert_eq!(client.get(&bucket).send().await.expect("it answers").status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_mail_is_received_decoded_and_by_nobody_else() {
    let (other, mail) = (testkit::mail().await, testkit::mail().await);
    let text = "Subject: =?utf-8?b?w4RwZmVs?=\r\nMessage-ID: <1@here>\r\nContent-Type: text/plain; charset=utf-8\r\n\
                Content-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe\r\n";
    for name in ["ada", "bob"] {
        assert_eq!(send(mail.url(), &mail.address(name), text).await, 250);
    }
    assert!(other.received().await.is_empty());
    let received = mail.received().await;
    let to: Vec<&str> = received.iter().map(|mail| mail.to.as_str()).collect();
    assert_eq!(to, [mail.address("ada"), mail.address("bob")]);
    let first = &received[0];
    assert_eq!((first.from.as_str(), first.text.trim_end()), ("me@here.example", "Grüße"));
    assert_eq!((first.header("subject"), first.header("message-id")), (Some("Äpfel"), Some("<1@here>")));
    assert!(first.raw.contains("=C3=BC"));
}

#[tokio::test]
async fn two_recipients_are_refused_for_good_and_for_now() {
    let mail = testkit::mail().await;
    assert_eq!(send(mail.url(), &mail.address("refused"), "Subject: x\r\n\r\n").await, 550);
    assert_eq!(send(mail.url(), &mail.address("busy"), "Subject: x\r\n\r\n").await, 451);
    assert!(mail.received().await.is_empty());
}

/// The first status that is not a yes, else that of the mail.
async fn send(url: &str, to: &str, text: &str) -> u16 {
    let address = Url::parse(url).expect("it is a URL").authority().to_owned();
    let mut stream = BufReader::new(TcpStream::connect(address).await.expect("it listens"));
    let [from, to] = ["MAIL FROM:<me@here.example>".to_owned(), format!("RCPT TO:<{to}>")];
    assert_eq!(status(&mut stream).await, 220);
    for command in ["HELO here.example", &from, &to, "DATA", &format!("{text}.")] {
        stream.write_all(format!("{command}\r\n").as_bytes()).await.expect("it listens");
        let status = status(&mut stream).await;
        if status >= 400 || command.starts_with("Subject") {
            return status;
        }
    }
    unreachable!("every mail has a subject")
}

async fn status(stream: &mut BufReader<TcpStream>) -> u16 {
    let mut line = String::new();
    stream.read_line(&mut line).await.expect("it answers");
    line[..3].parse().expect("an answer begins with its status")
}

#[tokio::test]
async fn kafka_has_an_address_and_a_topic_for_each_test() {
    let (one, other) = (testkit::kafka().await, testkit::kafka().await);
    assert_ne!(one.topic(), other.topic());
    TcpStream::connect(one.brokers()).await.expect("it listens there");
}

#[tokio::test]
async fn a_search_server_killed_keeps_what_it_acknowledged() {
    let server = testkit::private_search().await;
    let client = reqwest::Client::new();
    let document = format!("{}/things/_doc/1", server.url());
    let stored = client.put(&document).json(&json!({ "n": 7 })).send().await.expect("it accepts writes");
    assert_eq!(stored.status(), StatusCode::CREATED);
    server.kill9().await;
    client.get(&document).send().await.expect_err("it is killed");
    server.start().await;
    // An index that has not been found yet is told as one that is not there.
    let found = eventually("the index is back", || async {
        let answer = client.get(&document).send().await.expect("it answers again");
        answer.status().is_success().then_some(answer)
    });
    let found: Value = found.await.json().await.expect("it answers JSON");
    assert_eq!(found["_source"], json!({ "n": 7 }));
}

#[tokio::test]
async fn influxdb_killed_keeps_what_it_acknowledged() {
    let server = testkit::private_influxdb().await;
    query_on(server.url(), "mine", "CREATE DATABASE mine").await;
    write_to(server.url(), "mine", "m n=7i 1").await;
    server.kill9().await;
    server.start().await;
    assert_eq!(query_on(server.url(), "mine", "SELECT n FROM m").await, [json!({ "time": 1, "n": 7 })]);
}

#[tokio::test]
async fn kafka_killed_and_started_again_is_ready() {
    let server = testkit::private_kafka().await;
    server.kill9().await;
    TcpStream::connect(server.address()).await.expect_err("it is killed");
    server.start().await;
    let connected = tokio::time::timeout(Duration::from_secs(1), TcpStream::connect(server.address()));
    connected.await.expect("it listens").expect("it listens");
}
