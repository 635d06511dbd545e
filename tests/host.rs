//! What Terraform or OpenTofu makes of a data source and of functions: those of a small provider in
//! this process, so that every rule of the protocol can be met.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/mod.rs"]
mod support;

use std::sync::Arc;

use async_trait::async_trait;
use oam_provider::protocol::data_source::DataSource;
use oam_provider::protocol::diagnostic::{Diagnostic, Diagnostics};
use oam_provider::protocol::function::{Function, FunctionError, Parameter, Signature};
use oam_provider::protocol::path::AttributePath;
use oam_provider::protocol::resource::{Context, Provider, Resource};
use oam_provider::protocol::schema::{Attribute, Block, Mode, Schema};
use oam_provider::protocol::serve::{reattach, serve_debug};
use oam_provider::protocol::value::{Type, Value, dynamic};
use serde_json::json;
use support::Workspace;

struct Small;

#[async_trait]
impl Provider for Small {
    fn schema(&self) -> Schema {
        Schema::default()
    }

    fn resources(&self) -> Vec<(&'static str, Arc<dyn Resource>)> {
        Vec::new()
    }

    fn data_sources(&self) -> Vec<(&'static str, Arc<dyn DataSource>)> {
        vec![("oam_size", Arc::new(Size))]
    }

    fn functions(&self) -> Vec<(&'static str, Arc<dyn Function>)> {
        vec![
            ("echo", Arc::new(Echo)),
            ("join", Arc::new(Join)),
            ("known", Arc::new(Known)),
        ]
    }

    async fn validate(&self, _: &Value) -> Diagnostics {
        Vec::new()
    }

    async fn configure(&self, _: &Value) -> Diagnostics {
        Vec::new()
    }
}

/// The length of a name.
struct Size;

#[async_trait]
impl DataSource for Size {
    fn schema(&self) -> Schema {
        let attributes = vec![
            Attribute::new("name", Type::String, Mode::Required, ""),
            Attribute::new("size", Type::Number, Mode::Computed, ""),
        ];
        let block = Block {
            attributes,
            ..Default::default()
        };
        Schema { version: 0, block }
    }

    async fn validate(&self, config: &Value) -> Diagnostics {
        match config.get("name").as_str() {
            Some("") => {
                vec![Diagnostic::error("No name", "").at(AttributePath::new("name"))]
            }
            _ => Vec::new(),
        }
    }

    async fn read(&self, _: &Context, config: Value) -> Result<(Value, Diagnostics), Diagnostics> {
        let name = config.get("name").as_str().expect("a known name");
        if name == "gone" {
            return Err(vec![Diagnostic::error("Gone", "It is no more.")]);
        }
        let size = i64::try_from(name.len()).unwrap();
        let state = Value::from([("name", name.into()), ("size", size.into())]);
        Ok((state, Vec::new()))
    }
}

/// A value through a document and back.
struct Echo;

impl Function for Echo {
    fn signature(&self) -> Signature {
        Signature {
            summary: "The same value".to_owned(),
            description: String::new(),
            parameters: vec![Parameter::new("any", Type::Dynamic, "")],
            variadic: None,
            returns: Type::Dynamic,
        }
    }

    fn call(&self, arguments: Vec<Value>) -> Result<Value, FunctionError> {
        let failed = |error: oam_provider::protocol::value::ValueError| {
            FunctionError::new(error.to_string()).at(0)
        };
        let document = dynamic::to_json(&arguments[0]).map_err(failed)?;
        assert_ne!(document, "panic");
        dynamic::from_json(&document).map_err(failed)
    }
}

/// Texts in one.
struct Join;

impl Function for Join {
    fn signature(&self) -> Signature {
        Signature {
            summary: "Texts in one".to_owned(),
            description: String::new(),
            parameters: vec![Parameter::new("separator", Type::String, "")],
            variadic: Some(Parameter::new("text", Type::String, "")),
            returns: Type::String,
        }
    }

    fn call(&self, arguments: Vec<Value>) -> Result<Value, FunctionError> {
        let texts: Vec<_> = arguments.iter().filter_map(Value::as_str).collect();
        match texts.iter().position(|text| text.is_empty()) {
            Some(index) => Err(FunctionError::new("it is empty.").at(index)),
            None => Ok(texts[1..].join(texts[0]).into()),
        }
    }
}

/// What is known of a value.
struct Known;

impl Function for Known {
    fn signature(&self) -> Signature {
        let any = Parameter::new("any", Type::Dynamic, "");
        Signature {
            summary: "What is known of a value".to_owned(),
            description: String::new(),
            parameters: vec![any.allow_null().allow_unknown()],
            variadic: None,
            returns: Type::String,
        }
    }

    fn call(&self, arguments: Vec<Value>) -> Result<Value, FunctionError> {
        let value = &arguments[0];
        Ok(match (value.is_null(), value.is_wholly_known()) {
            (true, _) => "null",
            (_, true) => "all",
            (_, false) => "not all",
        }
        .into())
    }
}

/// A folder in which Terraform uses the small provider.
fn workspace(configuration: &str) -> Workspace {
    let (sender, receiver) = std::sync::mpsc::channel();
    // Ends with the test process.
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let served = serve_debug(Arc::new(Small), |address| {
            sender.send(reattach("oam/oam", address)).unwrap();
        });
        runtime.block_on(served).unwrap();
    });
    let mut workspace = Workspace::bare(configuration);
    workspace.set("TF_REATTACH_PROVIDERS", &receiver.recv().unwrap());
    workspace
}

#[test]
fn values_arrive_as_they_were_sent() {
    let work = workspace(
        r#"
        resource "terraform_data" "late" {
          input = "later"
        }
        data "oam_size" "early" {
          name = "abc"
        }
        data "oam_size" "late" {
          name = terraform_data.late.output
        }
        locals {
          document = { a = [1, "b", null, { c = 0.1, d = [] }], e = {}, f = 12345678901234567890 }
        }
        output "values" {
          value = {
            sizes    = [data.oam_size.early.size, data.oam_size.late.size]
            joined   = provider::oam::join("-", "a", terraform_data.late.output)
            alone    = provider::oam::join("-")
            echo     = provider::oam::echo(local.document)
            same     = provider::oam::echo(local.document) == jsondecode(jsonencode(local.document))
            plain    = [provider::oam::echo("a"), provider::oam::echo(1e30) == 1e30]
            typed    = provider::oam::echo({ map = tomap({ a = 1 }), set = toset(["a"]) })
            third    = floor(provider::oam::echo(1 / 3) * 1000)
            known    = [provider::oam::known(tostring(null)), provider::oam::known([1])]
          }
        }
        "#,
    );
    work.apply();
    let run = work.run(&["output", "-json"]);
    let outputs: serde_json::Value = serde_json::from_str(&run.output).unwrap();
    let document = json!({
        "a": [1, "b", null, { "c": 0.1, "d": [] }],
        "e": {},
        "f": 12_345_678_901_234_567_890_u64,
    });
    let values = &outputs["values"]["value"];
    assert_eq!(values["echo"], document);
    assert_eq!(values["sizes"], json!([3, 5]));
    assert_eq!(values["joined"], "a-later");
    assert_eq!(values["alone"], "");
    assert_eq!(values["same"], true);
    assert_eq!(values["plain"], json!(["a", true]));
    assert_eq!(values["typed"], json!({ "map": { "a": 1 }, "set": ["a"] }));
    assert_eq!(values["third"], 333);
    assert_eq!(values["known"], json!(["null", "all"]));
    work.plan().assert_empty();

    // OpenTofu does not call a function with a null of no type.
    let work = workspace("output \"null\" {\n  value = provider::oam::known(null)\n}\n");
    work.apply();
    let run = work.run(&["output", "-json"]);
    let outputs: serde_json::Value = serde_json::from_str(&run.output).unwrap();
    let known = outputs["null"]["value"].as_str();
    let want = work.is_terraform(8).then_some("null");
    assert_eq!(known, want);
}

#[test]
fn what_is_unknown_reaches_only_a_function_that_allows_it() {
    let work = workspace(
        r#"
        resource "terraform_data" "late" {
          input = "later"
        }
        output "seen" {
          value = provider::oam::known({ a = [terraform_data.late.output] })
        }
        output "echo" {
          value = provider::oam::echo({ a = [terraform_data.late.output] })
        }
        "#,
    );
    let plan = work.plan();
    let outputs = &plan.json["output_changes"];
    assert_eq!(outputs["seen"]["after"], "not all");
    assert_eq!(outputs["echo"]["after_unknown"], true);
}

#[test]
fn an_error_points_at_what_is_to_blame() {
    for (configuration, summary, detail, line) in [
        (
            "output \"o\" {\n  value = provider::oam::join(\"-\", \"a\",\n    \"\")\n}",
            "Invalid function argument",
            r#"Invalid value for "text" parameter: it is empty."#,
            3,
        ),
        (
            "output \"o\" {\n  value = provider::oam::join(\n    null)\n}",
            "Invalid function argument",
            r#"Invalid value for "separator" parameter: argument must not be null."#,
            3,
        ),
        (
            "output \"o\" {\n  value = provider::oam::echo(\"panic\")\n}",
            "Error in function call",
            "The provider has a bug: CallFunction failed in a way it must not",
            2,
        ),
        (
            "data \"oam_size\" \"d\" {\n  name = \"\"\n}",
            "No name",
            "",
            2,
        ),
        (
            "data \"oam_size\" \"d\" {\n  name = \"gone\"\n}",
            "Gone",
            "It is no more.",
            1,
        ),
    ] {
        let run = workspace(configuration).try_plan();
        assert_eq!(run.code, Some(1), "{run:?}");
        let [error] = &run.diagnostics[..] else {
            panic!("not one diagnostic: {run:?}")
        };
        // What is the fault of no argument, OpenTofu tells at the first one.
        let told =
            error.summary == "Invalid function argument" && summary == "Error in function call";
        assert!(error.summary == summary || told, "{error:?}");
        assert!(error.detail.contains(detail), "{error:?}");
        assert!(!error.detail.contains(".."), "{error:?}");
        assert_eq!(error.line, Some(line), "{error:?}");
    }
}
