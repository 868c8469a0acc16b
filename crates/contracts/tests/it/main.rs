//! Pins the JSON form of every message: a change here is a change on the wire.

mod commerce;

use contracts::messages::{HealthAnswer, HealthCheck, StoreMessage};
use contracts::records::{DeleteRecord, InsertRecord, ReadDatabase, Record, RecordPage};
use contracts::tasks::{StepReport, StepState, TaskProgressed};
use contracts::users::{UserCreated, UserDeleted, UserEvent, UserState, UserUpdated};
use insta::assert_json_snapshot;
use messaging::{DecodeError, Incoming};
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

fn ada() -> UserState {
    UserState {
        user_id: Uuid::from_u128(1),
        name: "Ada".to_owned(),
        email: "ada@example.com".to_owned(),
        preferences: None,
        created_at: OffsetDateTime::UNIX_EPOCH,
        updated_at: OffsetDateTime::UNIX_EPOCH,
    }
}

fn record() -> Record {
    Record { srn: "S1".to_owned(), name: "Ada".to_owned(), section: "B".to_owned() }
}

#[test]
fn messages_keep_their_json_form() {
    assert_json_snapshot!("store_message", StoreMessage { message: "hello".to_owned() });
    assert_json_snapshot!("health_check", HealthCheck { message: "hello".to_owned() });
    let answer = HealthAnswer { message: "hello".to_owned(), acknowledged_by: "host-1".to_owned() };
    assert_json_snapshot!("health_answer", answer);
    assert_json_snapshot!("insert_record", InsertRecord(record()));
    assert_json_snapshot!("delete_record", DeleteRecord { srn: "S1".to_owned() });
    assert_json_snapshot!("read_database", ReadDatabase { after: Some("S1".to_owned()), limit: Some(10) });
    assert_json_snapshot!("record_page", RecordPage { records: vec![record()], next: Some("S1".to_owned()) });
    assert_json_snapshot!("user_created", UserCreated(ada()));
    assert_json_snapshot!("user_updated", UserUpdated(ada()));
    let preferences = json!({ "theme": "dark", "mail": { "news": false } });
    let ada_who_prefers = UserState { preferences: preferences.as_object().cloned(), ..ada() };
    assert_json_snapshot!("user_created_with_preferences", UserCreated(ada_who_prefers));
    let deleted = UserDeleted { user_id: ada().user_id, deleted_at: OffsetDateTime::UNIX_EPOCH };
    assert_json_snapshot!("user_deleted", deleted);
    let report = StepReport {
        task_id: Uuid::from_u128(2),
        step: "insert_record".to_owned(),
        state: StepState::Failed,
        attempt: 5,
        error: Some("no".to_owned()),
        at: OffsetDateTime::UNIX_EPOCH,
    };
    assert_json_snapshot!("task_progressed", TaskProgressed { reports: vec![report] });
}

#[test]
fn optional_fields_and_lower_case_names_may_be_left_to_the_sender() {
    assert_eq!(ReadDatabase::decode(None, b"{}").expect("all fields are optional"), ReadDatabase::default());
    let by_hand = br#"{"srn":"S1","name":"Ada","section":"B"}"#;
    assert_eq!(InsertRecord::decode(None, by_hand).expect("lower case is understood"), InsertRecord(record()));
}

#[test]
fn a_user_event_is_told_by_its_type() {
    let body = serde_json::to_vec(&UserCreated(ada())).expect("plain data");
    let event = UserEvent::decode(Some("user.created"), &body).expect("a valid event");
    assert_eq!(event, UserEvent::Created(UserCreated(ada())));
    assert!(matches!(UserEvent::decode(Some("user.renamed"), &body), Err(DecodeError::UnknownKind(_))));
    assert!(matches!(UserEvent::decode(None, &body), Err(DecodeError::NoKind)));
}
