//! The calls about data sources.

use async_trait::async_trait;
use tonic::Request;

use super::{msgpack_of, service};
use crate::protocol::data_source::DataSource;
use crate::protocol::diagnostic::{Diagnostic, Diagnostics};
use crate::protocol::path::AttributePath;
use crate::protocol::resource::Context;
use crate::protocol::schema::{Attribute, Block, Mode, Schema};
use crate::protocol::value::{Type, Value};
use crate::protocol::wire::tfplugin6 as wire;
use crate::protocol::wire::tfplugin6::provider_server::Provider as _;

/// Finds the size of a thing: the length of its name.
pub struct Size;

#[async_trait]
impl DataSource for Size {
    fn schema(&self) -> Schema {
        let attributes = vec![
            Attribute::new("name", Type::String, Mode::Required, ""),
            Attribute::new("secret", Type::String, Mode::Optional, "").write_only(),
            Attribute::new("size", Type::Number, Mode::Computed, ""),
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
        match config.get("name").as_str() {
            Some("panic") => panic!("as asked"),
            Some("bad") => vec![Diagnostic::error("Bad", "").at(AttributePath::new("name"))],
            _ => Vec::new(),
        }
    }

    async fn read(
        &self,
        _: &Context,
        mut config: Value,
    ) -> Result<(Value, Diagnostics), Diagnostics> {
        let name = config.get("name").as_str().unwrap_or_default().to_owned();
        let size = match name.as_str() {
            "panic" => panic!("as asked"),
            "bad" => return Err(vec![Diagnostic::error("Not found", "")]),
            "mistyped" => true.into(),
            name => Value::from(i64::try_from(name.len()).unwrap()),
        };
        config.as_map_mut().unwrap().insert("size".to_owned(), size);
        Ok((config, vec![Diagnostic::warning("Old", "")]))
    }
}

fn value(name: Value, secret: Value, size: Value) -> Option<wire::DynamicValue> {
    let value = Value::from([("name", name), ("secret", secret), ("size", size)]);
    Some(msgpack_of(&value, &Size.schema().implied_type()))
}

fn config(name: &str) -> Option<wire::DynamicValue> {
    value(name.into(), "hush".into(), Value::Null)
}

async fn validate(type_name: &str, config: Option<wire::DynamicValue>) -> Vec<wire::Diagnostic> {
    let request = wire::validate_data_resource_config::Request {
        type_name: type_name.to_owned(),
        config,
    };
    let response = service()
        .validate_data_resource_config(Request::new(request))
        .await;
    response.unwrap().into_inner().diagnostics
}

async fn read(
    type_name: &str,
    config: Option<wire::DynamicValue>,
) -> wire::read_data_source::Response {
    let request = wire::read_data_source::Request {
        type_name: type_name.to_owned(),
        config,
        ..Default::default()
    };
    let response = service().read_data_source(Request::new(request)).await;
    response.unwrap().into_inner()
}

#[tokio::test]
async fn a_configuration_may_have_unknown_values_when_it_is_checked() {
    let unknown = value(Value::UNKNOWN, Value::Null, Value::Null);
    assert_eq!(validate("sample_size", unknown).await, []);
    assert_eq!(validate("sample_size", config("a")).await, []);
}

#[tokio::test]
async fn what_is_found_comes_with_warnings_and_without_secrets() {
    let response = read("sample_size", config("abc")).await;
    assert_eq!(response.state, value("abc".into(), Value::Null, 3.into()));
    assert_eq!(response.diagnostics.len(), 1);
    assert_eq!(response.diagnostics[0].summary, "Old");
    assert_eq!(response.deferred, None);
}

#[tokio::test]
async fn each_bad_request_is_one_diagnostic() {
    let garbage = || {
        Some(wire::DynamicValue {
            msgpack: vec![0x81, 0xa4, b'n', b'a', b'm', b'e', 0x05],
            json: Vec::new(),
        })
    };
    let bug = "The provider has a bug";
    for (type_name, config, invalid, not_read) in [
        ("sample_size", config("bad"), "Bad", "Not found"),
        ("sample_size", config("panic"), bug, bug),
        (
            "sample_size",
            garbage(),
            "Unreadable configuration",
            "Unreadable configuration",
        ),
        // A resource is not a data source.
        (
            "sample_thing",
            config("a"),
            "Unknown data source",
            "Unknown data source",
        ),
    ] {
        let diagnostics = validate(type_name, config.clone()).await;
        assert_eq!(diagnostics.len(), 1, "{diagnostics:?}");
        assert_eq!(diagnostics[0].summary, invalid);
        let response = read(type_name, config).await;
        assert_eq!(response.diagnostics.len(), 1, "{response:?}");
        assert_eq!(response.diagnostics[0].summary, not_read);
        assert_eq!(response.state, None);
    }
    let diagnostics = validate("sample_size", config("bad")).await;
    let name = AttributePath::new("name").to_wire();
    assert_eq!(diagnostics[0].attribute, name);
    // What the provider itself gets wrong.
    let response = read("sample_size", config("mistyped")).await;
    assert_eq!(response.diagnostics[0].summary, "Unreadable state");
}

#[tokio::test]
async fn data_sources_are_named_and_described() {
    let service = service();
    let metadata = service
        .get_metadata(Request::new(wire::get_metadata::Request {}))
        .await;
    let named = metadata.unwrap().into_inner().data_sources;
    let named: Vec<_> = named.into_iter().map(|d| d.type_name).collect();
    assert_eq!(named, ["sample_size"]);
    let schema = service
        .get_provider_schema(Request::new(wire::get_provider_schema::Request {}))
        .await;
    let schemas = schema.unwrap().into_inner().data_source_schemas;
    assert_eq!(schemas.len(), 1);
    assert_eq!(schemas["sample_size"], Size.schema().to_wire());
}
