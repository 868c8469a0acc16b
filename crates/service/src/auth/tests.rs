//! Tokens that are right, and all the ways in which they can be wrong.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::IntoResponse;
use clap::Parser;
use jsonwebtoken::{Algorithm, EncodingKey, Header, get_current_timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{AuthArgs, Identity, Issuer, MaybeIdentity, Role, Roles, Verifier};

#[derive(Parser)]
struct Config {
    #[command(flatten)]
    auth: AuthArgs,
}

fn args() -> AuthArgs {
    Config::parse_from(["program"]).auth
}

fn authorization(value: &str) -> HeaderMap {
    [(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap())].into_iter().collect()
}

async fn read(token: &str) -> Result<Option<Identity>, crate::ApiError> {
    let verifier = Verifier::new(&args(), None).unwrap();
    verifier.identity(&authorization(&format!("Bearer {token}"))).await
}

/// A token as ours, signed with our secret, except for what `change` makes of it.
fn forged(change: impl FnOnce(&mut Header, &mut Value)) -> String {
    super::hs256::install();
    let now = get_current_timestamp();
    let mut claims = json!({
        "iss": "warren", "aud": "warren", "exp": now + 60, "iat": now, "nbf": now, "sub": Uuid::nil(),
        "roles": ["user"], "sid": Uuid::nil(), "jti": Uuid::nil(),
    });
    let mut header = Header::new(Algorithm::HS256);
    change(&mut header, &mut claims);
    let args = args();
    jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(args.secret().unwrap())).unwrap()
}

#[tokio::test]
async fn a_token_that_was_issued_tells_who_sends_it() {
    let (user_id, session_id) = (Uuid::now_v7(), Uuid::now_v7());
    let roles: Roles = [Role::User, Role::Admin].into_iter().collect();
    let issued = Issuer::new(&args()).unwrap().issue(user_id, session_id, &roles, Duration::from_secs(900)).unwrap();
    let token = secrecy::ExposeSecret::expose_secret(&issued.token);
    let identity = read(token).await.unwrap().unwrap();
    assert_eq!((identity.user_id, identity.session_id, &identity.roles), (user_id, session_id, &roles));
    assert!((identity.expires_at.unix_timestamp() - get_current_timestamp() as i64 - 900).abs() <= 1);
    assert_eq!(serde_json::to_value(&identity.roles).unwrap(), json!(["admin", "user"]));
    // The second time it is known.
    let (verifier, headers) = (Verifier::new(&args(), None).unwrap(), authorization(&format!("Bearer {token}")));
    for _ in 0..2 {
        assert_eq!(verifier.identity(&headers).await.unwrap().as_ref(), Some(&identity));
    }
    assert!(read(&forged(|_, _| ())).await.unwrap().is_some(), "what is forged below is wrong by its change alone");
    assert!(!format!("{issued:?}").contains(token));
}

#[tokio::test]
async fn a_token_that_is_wrong_in_any_way_is_refused() {
    let now = get_current_timestamp();
    let set = |name: &'static str, value: Value| {
        forged(move |_, claims| {
            claims[name] = value;
        })
    };
    let mut wrong = vec![
        ("expired", set("exp", json!(now - 6))),
        ("not yet", set("nbf", json!(now + 60))),
        ("exp as a string", set("exp", json!((now + 60).to_string()))),
        ("nbf as a string", set("nbf", json!(now.to_string()))),
        ("exp null", set("exp", Value::Null)),
        ("exp negative", set("exp", json!(-1))),
        ("exp beyond all calendars", set("exp", json!(u64::MAX))),
        ("another issuer", set("iss", json!("somebody"))),
        ("a list of issuers", set("iss", json!(["warren"]))),
        ("another audience", set("aud", json!("somebody"))),
        ("a list of audiences", set("aud", json!(["warren"]))),
        ("no user", set("sub", json!("me"))),
        ("an unknown role", set("roles", json!(["root"]))),
        ("a role alone", set("roles", json!("admin"))),
        ("kid", forged(|header, _| header.kid = Some("../../dev/null".to_owned()))),
        ("another typ", forged(|header, _| header.typ = Some("at+jwt".to_owned()))),
        ("jku", forged(|header, _| header.jku = Some("http://127.0.0.1/".to_owned()))),
        ("nothing", String::new()),
        ("garbage", "a.b.c".to_owned()),
        ("too much", "x".repeat(5_000)),
    ];
    for name in ["iss", "aud", "exp", "iat", "nbf", "sub", "roles", "sid", "jti"] {
        wrong.push((name, forged(|_, claims| drop(claims.as_object_mut().unwrap().remove(name)))));
    }
    let right = forged(|_, _| ());
    let [head, claims, signature]: [&str; 3] = right.split('.').collect::<Vec<_>>().try_into().unwrap();
    // {"alg":"none"}, {"typ":"JWT","alg":"HS512"} and {"alg":"RS256"}
    let none = "eyJhbGciOiJub25lIn0";
    for (name, token) in [
        ("none", format!("{none}.{claims}.")),
        ("none with a signature", format!("{none}.{claims}.{signature}")),
        ("HS512", format!("eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzUxMiJ9.{claims}.{signature}")),
        ("RS256", format!("eyJhbGciOiJSUzI1NiJ9.{claims}.{signature}")),
        ("no signature", format!("{head}.{claims}.")),
        ("two parts", format!("{head}.{claims}")),
        ("four parts", format!("{right}.{signature}")),
        ("other claims", format!("{head}.{}.{signature}", "eyJzdWIiOiJtZSJ9")),
        ("padding", format!("{right}=")),
    ] {
        wrong.push((name, token));
    }
    for (name, token) in wrong {
        let refused = read(&token).await.map_or_else(|error| error, |_| panic!("accepted: {name}"));
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED, "{name}");
        let answer = refused.into_response();
        assert_eq!(answer.headers()[header::WWW_AUTHENTICATE], "Bearer error=\"invalid_token\"", "{name}");
    }
}

#[tokio::test]
async fn a_secret_of_somebody_else_is_of_no_use() {
    let mut others = args();
    others.jwt_secret = "another secret that is long enough for it".into();
    let issued = Issuer::new(&others).unwrap();
    let issued = issued.issue(Uuid::nil(), Uuid::nil(), &Roles::default(), Duration::from_secs(60)).unwrap();
    assert!(read(secrecy::ExposeSecret::expose_secret(&issued.token)).await.is_err());
}

#[tokio::test]
async fn only_one_bearer_token_is_understood() {
    let (verifier, token) = (Verifier::new(&args(), None).unwrap(), forged(|_, _| ()));
    assert_eq!(verifier.identity(&HeaderMap::new()).await.unwrap(), None);
    assert!(verifier.identity(&authorization(&format!("bearer {token}"))).await.unwrap().is_some());
    for wrong in [format!("Basic {token}"), token.clone(), format!("Bearer  {token}"), "Bearer".to_owned()] {
        assert!(verifier.identity(&authorization(&wrong)).await.is_err(), "{wrong}");
    }
    let mut twice = authorization(&format!("Bearer {token}"));
    twice.append(header::AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {token}")).unwrap());
    assert!(verifier.identity(&twice).await.is_err());
}

#[test]
fn a_user_has_the_own_and_an_admin_all() {
    let (me, other) = (Uuid::now_v7(), Uuid::now_v7());
    let who = |roles: &[Role]| Identity {
        user_id: me,
        session_id: Uuid::nil(),
        roles: roles.iter().copied().collect(),
        expires_at: time::OffsetDateTime::UNIX_EPOCH,
    };
    for (roles, mine, others) in [(&[Role::User][..], true, false), (&[], true, false), (&[Role::Admin], true, true)] {
        let identity = who(roles);
        assert_eq!((identity.may_act_for(me), identity.may_act_for(other)), (mine, others), "{roles:?}");
        let maybe = MaybeIdentity(Some(identity));
        assert_eq!((maybe.may_act_for(me).is_ok(), maybe.may_act_for(other).is_ok()), (mine, others), "{roles:?}");
        assert_eq!(maybe.is_admin().is_ok(), others, "{roles:?}");
    }
    assert!(MaybeIdentity(None).may_act_for(other).is_ok() && MaybeIdentity(None).is_admin().is_ok());
}
