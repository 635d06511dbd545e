//! The schemas as each version was released, `tests/docs/released/<version>.json`: what they hold of a state
//! and a configuration is still read. The file of the version in `Cargo.toml` is written with the pages
//! until that version is released.

use std::collections::BTreeMap;

use oam_provider::protocol::resource::{Provider as _, Resource};
use oam_provider::protocol::schema::{Attribute, AttributeType, Block, Mode};
use oam_provider::protocol::value::{Type, Value, json};
use oam_provider::provider::OamProvider;
use serde_json::{Value as Json, json};

use crate::files;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Who sets an attribute, by its path: `component.image` is in a block, `jobs.id` in a nested attribute.
type Modes = BTreeMap<String, String>;

fn attributes(all: &[Attribute], path: &str, modes: &mut Modes) {
    for attribute in all {
        let path = format!("{path}{}", attribute.name);
        if let AttributeType::Nested(inside, _) = &attribute.ty {
            attributes(inside, &format!("{path}."), modes);
        }
        let mode = match attribute.mode {
            Mode::Required => "required",
            Mode::Optional => "optional",
            Mode::Computed => "computed",
            Mode::OptionalComputed => "optional and computed",
        };
        modes.insert(path, mode.to_owned());
    }
}

fn block(block: &Block, path: &str, modes: &mut Modes) {
    attributes(&block.attributes, path, modes);
    for nested in &block.blocks {
        self::block(&nested.block, &format!("{path}{}.", nested.name), modes);
    }
}

fn described(resource: &dyn Resource) -> Json {
    let schema = resource.schema();
    let mut modes = Modes::new();
    block(&schema.block, "", &mut modes);
    json!({
        "version": schema.version,
        "state": schema.implied_type().to_json(),
        "attributes": modes,
        "identity": resource.identity().map(|identity| json!({
            "version": identity.version,
            "type": identity.implied_type().to_json(),
        })),
    })
}

/// The version of a schema and the schemas of all resources now, as the file of a release has them.
fn now() -> Json {
    let provider = OamProvider::new(|_| None);
    let all = provider.resources().into_iter();
    let all = all.map(|(name, resource)| (name.to_owned(), described(&*resource)));
    Json::Object(all.collect())
}

#[test]
fn this_version_is_as_it_will_be_released() {
    let file = format!("tests/docs/released/{VERSION}.json");
    let text = format!("{:#}\n", now());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        files::put(&file, &text);
    }
    assert!(
        files::read(&file).as_ref() == Some(&text),
        "{file} is out of date: run `make docs`; if {VERSION} is released already, raise the version first"
    );
}

/// A state with something in each place that the type has.
fn state(ty: &Type) -> Json {
    match ty {
        Type::Bool => json!(true),
        Type::Number => json!(1),
        Type::String => json!("text"),
        Type::Dynamic => Json::Null,
        Type::List(inner) | Type::Set(inner) => json!([state(inner)]),
        Type::Map(inner) => json!({ "key": state(inner) }),
        Type::Tuple(types) => types.iter().map(state).collect(),
        Type::Object(attributes) => {
            let all = attributes.iter();
            Json::Object(all.map(|(name, ty)| (name.clone(), state(ty))).collect())
        }
    }
}

/// What was in the state then and is not now, though the schema's version says that nothing has changed.
fn lost(then: &Type, now: &Type, path: &str, found: &mut Vec<String>) {
    match (then, now) {
        (Type::List(then), Type::List(now))
        | (Type::Set(then), Type::Set(now))
        | (Type::Map(then), Type::Map(now)) => lost(then, now, path, found),
        (Type::Object(then), Type::Object(now)) => {
            for (name, then) in then {
                let path = format!("{path}.{name}");
                match now.get(name) {
                    Some(now) => lost(then, now, &path, found),
                    None => found.push(path),
                }
            }
        }
        (then, now) if then == now => {}
        _ => found.push(path.to_owned()),
    }
}

fn reads(name: &str, resource: &dyn Resource, released: &Json) {
    let then = Type::from_json(&released["state"]).unwrap();
    let version = released["version"].as_i64().unwrap();
    let schema = resource.schema();
    let now = schema.implied_type();
    let text = state(&then).to_string();
    let read: Value = if version == schema.version {
        let mut found = Vec::new();
        lost(&then, &now, name, &mut found);
        assert_eq!(found, Vec::<String>::new(), "raise the schema's version");
        json::decode(text.as_bytes(), &now).unwrap()
    } else {
        resource.upgrade(version, text.as_bytes()).unwrap()
    };
    assert!(read.is_wholly_known());
    if let (Some(then), Some(now)) = (released["identity"].as_object(), resource.identity()) {
        assert!(then["version"].as_i64() <= Some(now.version), "{name}");
    }

    // What could be written then can be written now, and nothing more is needed.
    let mut modes = Modes::new();
    block(&schema.block, "", &mut modes);
    let then: Modes = serde_json::from_value(released["attributes"].clone()).unwrap();
    for (path, mode) in &then {
        let is = modes.get(path).map(String::as_str);
        let fits = match mode.as_str() {
            "required" => is.is_some_and(|is| is != "computed"),
            "computed" => is.is_some_and(|is| is != "required"),
            _ => is.is_some_and(|is| is != "computed" && is != "required"),
        };
        assert!(fits, "{name}.{path} was {mode} and is {is:?}");
    }
    let parent = |path: &str| {
        path.rsplit_once('.')
            .map(|(parent, _)| format!("{parent}."))
    };
    for (path, mode) in modes.iter().filter(|(path, _)| !then.contains_key(*path)) {
        // In a block that is new, too, something may be required.
        let known = parent(path).is_none_or(|parent| then.keys().any(|it| it.starts_with(&parent)));
        assert!(
            mode != "required" || !known,
            "{name}.{path} is required, and was not there"
        );
    }
}

#[test]
fn what_was_released_is_still_read() {
    let provider = OamProvider::new(|_| None);
    let resources: BTreeMap<_, _> = provider.resources().into_iter().collect();
    let files = files::below("tests/docs/released");
    assert!(files.contains(&format!("{VERSION}.json")));
    for file in files {
        let text = files::read(&format!("tests/docs/released/{file}")).unwrap();
        let released: BTreeMap<String, Json> = serde_json::from_str(&text).unwrap();
        for (name, released) in &released {
            let resource = resources.get(name.as_str());
            let resource = resource.unwrap_or_else(|| panic!("{name} of {file} is no more"));
            reads(name, &**resource, released);
        }
    }
}

/// The test can fail: what is not read is told.
#[test]
fn what_is_no_longer_read_is_told() {
    let then = Type::object([
        ("a", Type::object([("b", Type::String)])),
        ("c", Type::Bool),
    ]);
    let now = Type::object([("a", Type::object([("b", Type::Number)]))]);
    let mut found = Vec::new();
    lost(&then, &now, "it", &mut found);
    assert_eq!(found, ["it.a.b", "it.c"]);
    let mut more = Vec::new();
    lost(&now, &then, "it", &mut more);
    assert_eq!(more, ["it.a.b"]);
}
