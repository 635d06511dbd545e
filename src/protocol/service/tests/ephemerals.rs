//! The calls about ephemeral resources.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tonic::Request;

use super::{Sample, Service, msgpack_of, service};
use crate::protocol::diagnostic::{Diagnostic, Diagnostics};
use crate::protocol::ephemeral::{EphemeralResource, Opened, Renewed};
use crate::protocol::path::AttributePath;
use crate::protocol::resource::Context;
use crate::protocol::schema::{Attribute, Block, Mode, Schema};
use crate::protocol::value::{Type, Value, msgpack};
use crate::protocol::wire::tfplugin6 as wire;
use crate::protocol::wire::tfplugin6::provider_server::Provider as _;

/// Opens doors, and notes which it has closed.
#[derive(Clone, Default)]
pub struct Door {
    /// Told when one is being opened, and when one was closed.
    pub news: Arc<Notify>,
    /// What lets an opening go on that waits.
    pub go_on: Arc<Notify>,
    /// The private data of those that were closed.
    pub closed: Arc<Mutex<Vec<Vec<u8>>>>,
}

const SOON: SystemTime = SystemTime::UNIX_EPOCH;

fn bad() -> Diagnostics {
    vec![Diagnostic::error("Bad", "").at(AttributePath::new("how"))]
}

#[async_trait]
impl EphemeralResource for Door {
    fn schema(&self) -> Schema {
        let attributes = vec![
            Attribute::new("how", Type::String, Mode::Optional, ""),
            Attribute::new("key", Type::String, Mode::Computed, "").sensitive(),
        ];
        Schema {
            version: 0,
            block: Block {
                attributes,
                ..Default::default()
            },
        }
    }

    async fn validate(&self, config: &Value) -> Diagnostics {
        match config.get("how").as_str() {
            Some("panic") => panic!("as asked"),
            Some("bad") => bad(),
            _ => Vec::new(),
        }
    }

    async fn open(&self, _: &Context, config: Value) -> Result<Opened, Diagnostics> {
        let how = config.get("how").as_str().unwrap_or_default().to_owned();
        let mut key = Value::from("k");
        match how.as_str() {
            "panic" => panic!("as asked"),
            "bad" => return Err(bad()),
            "wait" => {
                self.news.notify_one();
                self.go_on.notified().await;
            }
            "misfit" => key = Value::List(Vec::new()),
            _ => {}
        }
        Ok(Opened {
            value: Value::from([("how", config.get("how").clone()), ("key", key)]),
            private: how.clone().into_bytes(),
            renew_at: (how == "renew").then_some(SOON),
            diagnostics: Vec::new(),
        })
    }

    async fn renew(&self, _: &Context, private: Vec<u8>) -> Result<Renewed, Diagnostics> {
        match private.as_slice() {
            b"panic" => panic!("as asked"),
            b"bad" => Err(bad()),
            _ => Ok(Renewed {
                private: [private, b"+".to_vec()].concat(),
                renew_at: Some(SOON + Duration::from_millis(1_500)),
                diagnostics: Vec::new(),
            }),
        }
    }

    async fn close(&self, _: &Context, private: Vec<u8>) -> Diagnostics {
        let said = match private.as_slice() {
            b"panic" => panic!("as asked"),
            b"bad" => bad(),
            _ => Vec::new(),
        };
        self.closed.lock().unwrap().push(private);
        self.news.notify_one();
        said
    }
}

fn ty() -> Type {
    Door::default().schema().implied_type()
}

fn config(how: &str) -> Option<wire::DynamicValue> {
    let config = Value::from([("how", how.into()), ("key", Value::Null)]);
    Some(msgpack_of(&config, &ty()))
}

fn request(type_name: &str, how: &str) -> wire::open_ephemeral_resource::Request {
    wire::open_ephemeral_resource::Request {
        type_name: type_name.to_owned(),
        config: config(how),
        ..Default::default()
    }
}

fn summary(diagnostics: &[wire::Diagnostic]) -> Option<&str> {
    diagnostics.first().map(|it| it.summary.as_str())
}

const BUG: &str = "The provider has a bug";

#[tokio::test]
async fn each_call_is_answered_also_where_it_goes_wrong() {
    let service = service();
    for (name, how, want) in [
        ("sample_door", "", None),
        ("sample_door", "bad", Some("Bad")),
        ("sample_door", "panic", Some(BUG)),
        ("sample_other", "", Some("Unknown ephemeral resource")),
    ] {
        let request = wire::validate_ephemeral_resource_config::Request {
            type_name: name.to_owned(),
            config: config(how),
        };
        let said = service.validate_ephemeral_resource_config(Request::new(request));
        let said = said.await.unwrap().into_inner().diagnostics;
        assert_eq!(summary(&said), want);

        let opened = service.open_ephemeral_resource(Request::new(self::request(name, how)));
        let opened = opened.await.unwrap().into_inner();
        assert_eq!(summary(&opened.diagnostics), want);
        assert_eq!(opened.result.is_some(), want.is_none());

        let private = Some(how.as_bytes().to_vec());
        let request = wire::renew_ephemeral_resource::Request {
            type_name: name.to_owned(),
            private: private.clone(),
        };
        let renewed = service.renew_ephemeral_resource(Request::new(request));
        let renewed = renewed.await.unwrap().into_inner();
        assert_eq!(summary(&renewed.diagnostics), want);

        let request = wire::close_ephemeral_resource::Request {
            type_name: name.to_owned(),
            private,
        };
        let closed = service.close_ephemeral_resource(Request::new(request));
        let said = closed.await.unwrap().into_inner().diagnostics;
        assert_eq!(summary(&said), want);
    }
}

#[tokio::test]
async fn what_is_kept_and_when_to_renew_arrive() {
    let service = service();
    let opened = service.open_ephemeral_resource(Request::new(request("sample_door", "renew")));
    let opened = opened.await.unwrap().into_inner();
    let result = msgpack::decode(&opened.result.unwrap().msgpack, &ty()).unwrap();
    assert_eq!(result.get("key").as_str(), Some("k"));
    assert_eq!(opened.renew_at, Some(prost_types::Timestamp::default()));
    let renew = wire::renew_ephemeral_resource::Request {
        type_name: "sample_door".to_owned(),
        private: opened.private,
    };
    let renewed = service.renew_ephemeral_resource(Request::new(renew)).await;
    let renewed = renewed.unwrap().into_inner();
    let later = prost_types::Timestamp {
        seconds: 1,
        nanos: 500_000_000,
    };
    assert_eq!(renewed.renew_at, Some(later));
    assert_eq!(renewed.private, Some(b"renew+".to_vec()));

    let opened = service.open_ephemeral_resource(Request::new(request("sample_door", "")));
    assert_eq!(opened.await.unwrap().into_inner().renew_at, None);
}

fn with_a_door() -> (Arc<Service>, Door) {
    let sample = Sample::default();
    let door = sample.door.clone();
    let service = Service::new(Arc::new(sample), CancellationToken::new());
    (Arc::new(service), door)
}

#[tokio::test]
async fn what_nobody_waits_for_any_more_is_closed() {
    let (service, door) = with_a_door();
    let host = tokio::spawn(async move {
        let request = Request::new(request("sample_door", "wait"));
        service.open_ephemeral_resource(request).await
    });
    door.news.notified().await;
    host.abort();
    assert!(host.await.unwrap_err().is_cancelled());
    door.go_on.notify_one();
    let closed = tokio::time::timeout(Duration::from_secs(10), door.news.notified());
    assert!(closed.await.is_ok(), "it stays open");
    assert_eq!(*door.closed.lock().unwrap(), [b"wait".to_vec()]);
}

#[tokio::test]
async fn what_cannot_be_told_is_closed() {
    let (service, door) = with_a_door();
    let request = Request::new(request("sample_door", "misfit"));
    let opened = service.open_ephemeral_resource(request).await.unwrap();
    let opened = opened.into_inner();
    assert_eq!(summary(&opened.diagnostics), Some("Unreadable result"));
    assert_eq!(opened.private, None);
    assert_eq!(*door.closed.lock().unwrap(), [b"misfit".to_vec()]);
}

#[tokio::test]
async fn ephemeral_resources_are_listed() {
    let service = service();
    let metadata = service.get_metadata(Request::new(wire::get_metadata::Request {}));
    let named = metadata.await.unwrap().into_inner().ephemeral_resources;
    let named: Vec<_> = named.into_iter().map(|it| it.type_name).collect();
    assert_eq!(named, ["sample_door"]);
    let schema = service
        .get_provider_schema(Request::new(wire::get_provider_schema::Request {}))
        .await;
    let schemas = schema.unwrap().into_inner().ephemeral_resource_schemas;
    assert_eq!(schemas.len(), 1);
    assert_eq!(schemas["sample_door"], Door::default().schema().to_wire());
}
