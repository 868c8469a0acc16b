//! What cannot be done.

use crate::support::warren;

#[tokio::test]
async fn where_nobody_answers_it_says_who() {
    let run = warren(&["seed", "--url=http://127.0.0.1:1"]).await.expect(3);
    assert!(run.err.contains("http://127.0.0.1:1/auth/login does not answer"), "{}", run.err);
    assert_eq!(run.out, "");
}

#[tokio::test]
async fn wrong_arguments_are_named() {
    for (arguments, named) in [
        (&["seed", "--url=https://shop.example"][..], "http://127.0.0.1:3000"),
        (&["seed", "--owners=0"], "--owners"),
        (&["replay", "users"], "payments"),
        (&["replay", "--service-urls=owners"], "owners=http://127.0.0.1:30000"),
        (&[], "Usage"),
    ] {
        let run = warren(arguments).await.expect(2);
        assert!(run.err.contains(named), "{}", run.err);
    }
}
