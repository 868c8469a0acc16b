//! A user from the first request to the last, all through the gateway.

use serde_json::json;

use super::{told, unique};
use crate::{Answer, Ask, Site};

/// A user registers, logs in, writes, reads, goes on with new tokens and logs out; then none of the tokens is worth anything,
/// neither at the gateway nor `inside`, at the services themselves.
pub async fn a_user_registers_looks_around_and_leaves(gateway: &Site, inside: &Site) {
    let (email, password) = (format!("{}@example.org", unique("ada")), unique("password"));
    let user = json!({ "name": "Ada Lovelace", "email": email, "password": password });
    let id = gateway.post("/auth/register", &user).effect().await.id("user_id");
    let (user_path, dashboard_path) = (format!("/api/users/{id}"), format!("/api/user/{id}/dashboard"));
    refused(&gateway.get(&user_path).answer().await);

    let wrong = json!({ "email": email, "password": unique("password") });
    refused(&gateway.post("/auth/login", &wrong).answer().await);
    let login = json!({ "email": email, "password": password });
    let login = gateway.post("/auth/login", &login).answer().await.expect(200);
    assert_eq!(login.header("cache-control"), "no-store");
    assert_eq!((&login.json()["token_type"], &login.json()["user"]["user_id"]), (&json!("Bearer"), &json!(id)));
    let ada = gateway.with_token(&text(&login, "access_token"));

    let me = ada.get("/auth/me").answer().await.expect(200).json();
    assert_eq!((&me["email"], &me["roles"]), (&json!(email), &json!(["user"])));
    let user = ada.get(&user_path).answer().await.expect(200).json();
    assert_eq!((&user["user_id"], &user["name"]), (&json!(id), &json!("Ada Lovelace")));
    ada.get("/api/users").answer().await.expect(403);

    a_record_is_written_and_read(&ada).await;

    let dashboard = ada.get(&dashboard_path).answer().await.expect(200).json();
    assert_eq!(dashboard["user"], user);

    let refresh = json!({ "refresh_token": text(&login, "refresh_token") });
    let refreshed = gateway.post("/auth/refresh", &refresh).answer().await.expect(200);
    let later = gateway.with_token(&text(&refreshed, "access_token"));
    assert_eq!(later.get("/auth/me").answer().await.expect(200).json()["session"], me["session"]);

    later.post("/auth/logout", &json!({})).answer().await.expect(204);
    for tokens in [&login, &refreshed] {
        let access = text(tokens, "access_token");
        let (outside, inside) = (gateway.with_token(&access), inside.with_token(&access));
        refused(&outside.get("/auth/me").answer().await);
        refused(&outside.get(&dashboard_path).answer().await);
        for answer in [inside.get(&format!("/users/{id}")), inside.read(&format!("/users/{id}"))] {
            let answer = answer.answer().await.expect(401);
            assert!(answer.header("www-authenticate").contains("invalid_token"), "{:?}", answer.headers);
        }
        let refresh = json!({ "refresh_token": text(tokens, "refresh_token") });
        refused(&gateway.post("/auth/refresh", &refresh).answer().await);
    }
}

/// The gateway says where the task is, and there it can be followed until the record can be read.
async fn a_record_is_written_and_read(gateway: &Site) {
    let srn = unique("SRN");
    let record = json!({ "SRN": srn, "Name": "Ada Lovelace", "Section": "B" });
    let accepted = gateway.post("/api/records", &record).answer().await.expect(202);
    let task = accepted.id("task_id");
    let location = accepted.header("location");
    assert_eq!(location, format!("/api/tasks/{task}"), "it leads past the gateway");

    let events = gateway.get(&format!("{location}/events")).answer().await.expect(200);
    assert_eq!(events.header("content-type"), "text/event-stream");
    let ended = gateway.get(location).answer().await.expect(200).json();
    assert_eq!((told(&events.body).last(), &ended["state"]), (Some(&ended), &json!("done")));
    assert_eq!(gateway.get(&format!("/api/records/{srn}")).answer().await.expect(200).json(), record);
    gateway.post("/api/records", &record).answer().await.expect(409);
}

/// The gateway, or a service behind it, does not know who asks.
#[track_caller]
fn refused(answer: &Answer) {
    assert_eq!(answer.status, 401, "{}", answer.body);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert!(answer.header("www-authenticate").starts_with("Bearer"), "{:?}", answer.headers);
}

#[track_caller]
fn text(answer: &Answer, name: &str) -> String {
    let text = answer.json()[name].as_str().map(ToOwned::to_owned);
    text.unwrap_or_else(|| panic!("there is no `{name}` in {}", answer.body))
}
