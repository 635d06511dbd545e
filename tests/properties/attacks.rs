//! No text of a user's means anything in a template, a router's rule, a key or a path: it is refused, or it
//! stays the text that it is.

use std::collections::BTreeSet;

use crate::golden;
use oam_provider::oam::{self, Node, Severity};
use oam_provider::tenants::Domains;
use oam_provider::tenants::bounds::{self, Facts};
use oam_provider::translate::{self, Target};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Map, Value, json};

const TENANT: &str = "acme";
const ROLE: &str = "oam-acme";

/// Pieces of what attackers write.
fn text() -> impl Strategy<Value = String> {
    let pieces = vec![
        "`",
        "\"",
        "'",
        "\\",
        "\n",
        "\r",
        "\t",
        "\0",
        " ",
        ",",
        "=",
        ";",
        ":",
        "?",
        "%",
        "%2e%2e",
        "*",
        "+",
        "@",
        "@dc2",
        "#",
        "/",
        "..",
        "../",
        ".",
        "-",
        "$",
        "{{",
        "}}",
        "{{ key \"oam/tenants/beta\" }}",
        "{{ with secret \"secret/data/beta/db\" }}",
        "{{ env \"VAULT_TOKEN\" }}",
        "${",
        "}",
        "${attr.kernel.name}",
        "${NOMAD_META_x}",
        "${env[\"A\"]}",
        "`) || Host(`beta.example.com",
        ") || PathPrefix(`/",
        "traefik.http.routers.x.rule=Host(`beta.example.com`)",
        "traefik.enable=true",
        "TRAEFIK.enable",
        "beta.example.com",
        "BETA.example.com.",
        "bеta.example.com",
        "xn--bta-8cd.example.com",
        "secret/data/beta/db",
        "secret/beta/db",
        "secret/metadata/acme/db",
        "secret/data/acme/db",
        "acme/motd",
        "beta/motd",
        "oam/applications/beta/shop",
        "/etc",
        "acme",
        "beta",
        "beta-x",
        "a",
        "1",
        "é",
        "\u{202e}",
    ];
    let some = proptest::collection::vec(select(pieces), 1..4);
    some.prop_map(|pieces| pieces.concat())
}

/// The golden applications, as a tenant's.
fn applications() -> Vec<Value> {
    let cases = golden::cases().into_iter().map(|case| {
        let mut json = case.node.to_json();
        json["tenant"] = TENANT.into();
        json
    });
    cases.collect()
}

/// How many texts and keys there are, and puts another in the place of one of them.
fn replace(value: &mut Value, at: &mut usize, text: &str) {
    match value {
        Value::String(old) => {
            if *at == 0 {
                *old = text.to_owned();
            }
            *at = at.wrapping_sub(1);
        }
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, at, text)),
        Value::Object(entries) => {
            let mut made = Map::new();
            for (key, mut entry) in std::mem::take(entries) {
                let key = match *at {
                    0 => text.to_owned(),
                    _ => key,
                };
                *at = at.wrapping_sub(1);
                replace(&mut entry, at, text);
                made.insert(key, entry);
            }
            *entries = made;
        }
        _ => {}
    }
}

fn count(value: &Value) -> usize {
    match value {
        Value::String(_) => 1,
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(entries) => entries.values().map(|entry| 1 + count(entry)).sum(),
        _ => 0,
    }
}

/// Whether a text has nothing but letters, digits and these.
fn is_of(text: &str, more: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || more.contains(c))
}

/// The paths of secrets and keys in a template, which must be one that the translator writes.
fn template(text: &str) -> Vec<String> {
    let mut read = Vec::new();
    let (mut open, mut rest) = (0_i32, text);
    while let Some((before, after)) = rest.split_once("{{") {
        for line in before.split('\n').filter(|line| !line.is_empty()) {
            let variable = line.strip_suffix('=').unwrap_or(line);
            assert!(is_of(variable, "_"), "{line:?} in {text:?}");
        }
        let (action, after) = after.split_once("}}").expect("an action ends");
        rest = after;
        let action = action.trim();
        let quoted = |text: &str| {
            let inner = text.strip_prefix('"')?.strip_suffix('"')?;
            is_of(inner, "-_.@+/").then(|| inner.to_owned())
        };
        if action == "end" {
            open -= 1;
            continue;
        }
        if let Some(path) = action.strip_prefix("with secret ") {
            read.push(quoted(path).unwrap_or_else(|| panic!("{action:?}")));
            open += 1;
            continue;
        }
        let value = action.strip_suffix(" | toJSON");
        let value = value.unwrap_or_else(|| panic!("{action:?} in {text:?}"));
        if let Some(key) = value.strip_prefix("key ") {
            let key = quoted(key).unwrap_or_else(|| panic!("{action:?}"));
            assert!(!key.contains('@'), "{key}");
            read.push(key);
        } else if let Some(field) = value.strip_prefix("index ") {
            let (data, field) = field.split_once(' ').expect("what and which");
            assert!(matches!(data, ".Data" | ".Data.data"), "{action:?}");
            assert!(quoted(field).is_some(), "{action:?}");
        } else {
            let field = value.strip_prefix(".Data.").expect("a field");
            let field = field.strip_prefix("data.").unwrap_or(field);
            assert!(is_of(field, "_"), "{action:?}");
        }
    }
    assert!(rest.trim().is_empty() && open == 0, "{text:?}");
    read
}

/// A tag of Traefik's is about the service's own router, and its rule has one host and one path at most.
fn tag(tag: &str, service: &str) {
    let Some(label) = tag.strip_prefix("traefik.") else {
        assert!(is_of(tag, "-_.@/+"), "{tag:?}");
        assert!(!tag.to_ascii_lowercase().starts_with("traefik."), "{tag:?}");
        return;
    };
    let (name, value) = label.split_once('=').expect("a label has a value");
    let router = format!("http.routers.{service}.");
    let strip = format!("http.middlewares.{service}-strip.stripprefix.prefixes");
    match name.strip_prefix(&router) {
        Some("rule") => {
            let (host, path) = match value.split_once(" && ") {
                Some((host, path)) => (host, Some(path)),
                None => (value, None),
            };
            let host = host
                .strip_prefix("Host(`")
                .and_then(|it| it.strip_suffix("`)"));
            assert!(
                host.is_some_and(|host| is_of(host, "-.") && !host.contains("..")),
                "{value:?}"
            );
            if let Some(path) = path {
                let path = path
                    .strip_prefix("PathPrefix(`")
                    .and_then(|it| it.strip_suffix("`)"));
                let path = path.expect("a path");
                assert!(path.starts_with('/') && !path.contains('`'), "{value:?}");
            }
        }
        Some("entrypoints") => assert!(matches!(value, "web" | "websecure"), "{value:?}"),
        Some("tls") => assert_eq!(value, "true"),
        Some("middlewares") => {
            let mut all = value.split(',');
            assert!(all.all(|one| is_of(one, "-_.@/+")), "{value:?}");
        }
        Some(other) => panic!("{other}"),
        None if name == strip => {
            assert!(value.starts_with('/') && !value.contains(','), "{value:?}");
        }
        None => assert_eq!(tag, "traefik.enable=true"),
    }
}

/// Where Nomad replaces `${…}`: in what a task is given, and in what nodes are compared with.
fn may_interpolate(path: &[&str]) -> bool {
    path.contains(&"Env")
        || path.contains(&"Config")
        || matches!(path.last(), Some(&("LTarget" | "RTarget" | "Attribute")))
}

fn walk(value: &Value, path: &mut Vec<String>, at: &mut dyn FnMut(&[&str], &str)) {
    match value {
        Value::String(text) => {
            let steps: Vec<_> = path.iter().map(String::as_str).collect();
            at(&steps, text);
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, path, at)),
        Value::Object(entries) => {
            for (key, entry) in entries {
                path.push(key.clone());
                let steps: Vec<_> = path.iter().map(String::as_str).collect();
                // Keys, too, but for those of the variables that a task is given.
                at(&steps, "");
                walk(entry, path, at);
                path.pop();
            }
        }
        _ => {}
    }
}

/// What holds for every job of a tenant's. Gives what its templates read.
fn check(job: &Value, tenant: &str) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let own = |name: &str| {
        name.strip_prefix(tenant)
            .is_some_and(|it| it.starts_with('-'))
    };
    let items = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let namespace = text(&job["Namespace"]);
    assert!(namespace == tenant || own(&namespace), "{namespace}");
    assert!(is_of(&text(&job["ID"]), "-"), "{}", job["ID"]);
    walk(job, &mut Vec::new(), &mut |path, text| {
        if text.contains("${") {
            assert!(may_interpolate(path), "{path:?} {text:?}");
        }
        if let Some(&("LTarget" | "Attribute")) = path.last()
            && !text.is_empty()
        {
            let inner = text.strip_prefix("${").and_then(|it| it.strip_suffix('}'));
            assert!(inner.is_some_and(|it| is_of(it, "-_.")), "{text:?}");
        }
        // What is a key there is the driver's own word.
        if let [.., "Config", key] = path {
            let known = [
                "image",
                "image_path",
                "entrypoint",
                "command",
                "args",
                "ports",
                "port_map",
                "volumes",
                "auth",
            ];
            assert!(known.contains(key), "{key}");
        }
        if !path.contains(&"EmbeddedTmpl") && !may_interpolate(path) {
            assert!(!text.contains("{{"), "{path:?} {text:?}");
        }
    });
    let mut read = Vec::new();
    for group in items(&job["TaskGroups"]) {
        for service in items(&group["Services"]) {
            let name = text(&service["Name"]);
            assert!(own(&name) && is_of(&name, "-"), "{name:?}");
            for one in items(&service["Tags"]) {
                tag(&text(&one), &name);
            }
            let upstreams = &service["Connect"]["SidecarService"]["Proxy"]["Upstreams"];
            for upstream in items(upstreams) {
                let name = text(&upstream["DestinationName"]);
                assert!(own(&name) && is_of(&name, "-"), "{name:?}");
            }
        }
        for task in items(&group["Tasks"]) {
            if !task["Vault"].is_null() {
                assert_eq!(task["Vault"], json!({ "Role": ROLE }));
            }
            // With the task's own identity, and not the node's.
            let keys = task["Templates"].to_string().contains("{{ key ");
            assert_eq!(!task["Consul"].is_null(), keys, "{task}");
            for one in items(&task["Templates"]) {
                let file = text(&one["DestPath"]);
                let inside = file.starts_with("secrets/")
                    && file.split('/').all(|part| !part.is_empty() && part != "..");
                assert!(inside && is_of(&file, "-_.@+/"), "{file:?}");
                read.extend(template(&text(&one["EmbeddedTmpl"])));
            }
        }
    }
    read
}

fn target() -> Target {
    Target {
        namespace: TENANT.to_owned(),
        datacenters: vec!["*".to_owned()],
        vault_role: Some(ROLE.to_owned()),
        ..Target::default()
    }
}

/// Whether an application in which a text was put is refused; otherwise its jobs are looked through.
fn is_refused(application: &Value) -> bool {
    let node = Node::from(application);
    let problems = oam::validate(&node);
    if problems.iter().any(|it| it.severity == Severity::Error) {
        return true;
    }
    let Some(tenant) = application["tenant"].as_str() else {
        return true;
    };
    let parsed = oam::parse(&node).expect("what is valid can be read");
    let target = Target {
        namespace: tenant.to_owned(),
        ..target()
    };
    let jobs = translate::translate(&parsed, &target);
    let mut read = Vec::new();
    for translation in jobs {
        read.extend(check(
            &serde_json::to_value(&translation.job).unwrap(),
            tenant,
        ));
    }
    let tenants = BTreeSet::new();
    let domains = Domains::default();
    let facts = Facts {
        is_managed: true,
        domain: None,
        domains: &domains,
        tenants: &tenants,
        key_prefix: "oam",
        secrets_mount: "secret",
        namespace: "default",
    };
    if !bounds::problems(&node, &node, &facts).is_empty() {
        return true;
    }
    // Nothing is read that is not below the tenant's folders.
    for path in read {
        let folders = ["", "secret/", "secret/data/"].map(|it| format!("{it}{tenant}/"));
        assert!(folders.iter().any(|it| path.starts_with(it)), "{path}");
    }
    false
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]
    #[test]
    fn no_text_of_a_user_means_anything_elsewhere(
        application in select(applications()), at in any::<Index>(), text in text(),
    ) {
        let mut application = application;
        let mut at = at.index(count(&application));
        replace(&mut application, &mut at, &text);
        is_refused(&application);
    }
}

/// An application with everything in which attackers write.
fn shop() -> Value {
    json!({
        "name": "shop",
        "tenant": TENANT,
        "network_scope": {"mesh": {"service_mesh": true}},
        "component": {"web": {
            "type": "webservice",
            "image": "nginx",
            "image_pull_secret": "secret/data/acme/registry",
            "env": {"A": "b"},
            "env_from": {
                "PIN": {"vault_secret": {"path": "secret/data/acme/pin", "field": "pin"}},
                "MOTD": {"consul_key": {"key": "acme/motd"}},
            },
            "port": {"http": {"port": 80}},
            "upstream": {"api": {"port": 9000, "application": "back"}},
            "health_check": {"path": "/"},
            "ingress": {
                "host": "shop.acme.example.com", "path_prefix": "/", "middleware": ["auth@file"],
                "port": "http",
            },
            "vault_secret": {"secret/data/acme/db": {"env": {"password": "DB_PASSWORD"}}},
            "service_discovery": {"service_name": "web", "tags": ["v1"], "check": {"path": "/"}},
            "volume": {"data": {"source": "acme-data", "mount_path": "/data"}},
            "sidecar": {"log": {
                "image": "log", "volume": [{"source": "data", "destination": "/logs"}],
            }},
        }},
    })
}

/// Texts that are refused wherever a word, a name or a path of one belongs.
const INJECTIONS: [&str; 18] = [
    "",
    "a b",
    "a`b",
    "a`) || Host(`beta.example.com",
    "a\nb",
    "a\u{0}b",
    "a\"b",
    "a'b",
    "a\\b",
    "a,b",
    "a=b",
    "a{{b",
    "{{ key \"beta/x\" }}",
    "${NOMAD_META_x}",
    "${attr.kernel.name}",
    "${env[\"A\"]}",
    "a$b",
    "bеta",
];

#[test]
fn the_application_that_is_attacked_is_a_good_one() {
    assert!(!is_refused(&shop()));
}

#[test]
fn injections_are_refused_at_every_field() {
    let web = "/component/web";
    for field in [
        "/name".to_owned(),
        "/tenant".to_owned(),
        format!("{web}/image_pull_secret"),
        format!("{web}/env_from/PIN/vault_secret/path"),
        format!("{web}/env_from/PIN/vault_secret/field"),
        format!("{web}/env_from/MOTD/consul_key/key"),
        format!("{web}/upstream/api/application"),
        format!("{web}/health_check/path"),
        format!("{web}/ingress/host"),
        format!("{web}/ingress/path_prefix"),
        format!("{web}/ingress/middleware/0"),
        format!("{web}/ingress/port"),
        format!("{web}/vault_secret/secret~1data~1acme~1db/env/password"),
        format!("{web}/service_discovery/service_name"),
        format!("{web}/service_discovery/tags/0"),
        format!("{web}/service_discovery/check/path"),
        format!("{web}/volume/data/source"),
        format!("{web}/volume/data/mount_path"),
        format!("{web}/sidecar/log/volume/0/source"),
        format!("{web}/sidecar/log/volume/0/destination"),
    ] {
        // Of paths, some begin as they should.
        let is_path = ["path", "path_prefix", "mount_path", "destination"]
            .iter()
            .any(|name| field.ends_with(&format!("/{name}")) && !field.contains("vault_secret"));
        for text in INJECTIONS {
            let text = match is_path {
                true => format!("/{text}"),
                false => text.to_owned(),
            };
            // A path may be empty but for its slash, and have what means nothing in it.
            if is_path && (text == "/" || text.contains('е') || text == "/a=b") {
                continue;
            }
            let mut shop = shop();
            *shop.pointer_mut(&field).unwrap() = text.as_str().into();
            assert!(is_refused(&shop), "{field} {text:?}");
        }
    }
}

#[test]
fn injections_are_refused_at_every_label() {
    let web = "/component/web";
    for (block, label) in [
        ("/component".to_owned(), "web"),
        ("/network_scope".to_owned(), "mesh"),
        (format!("{web}/env"), "A"),
        (format!("{web}/env_from"), "PIN"),
        (format!("{web}/port"), "http"),
        (format!("{web}/upstream"), "api"),
        (format!("{web}/vault_secret"), "secret/data/acme/db"),
        (
            format!("{web}/vault_secret/secret~1data~1acme~1db/env"),
            "password",
        ),
        (format!("{web}/volume"), "data"),
        (format!("{web}/sidecar"), "log"),
    ] {
        for text in INJECTIONS {
            let mut shop = shop();
            let entries = shop.pointer_mut(&block).unwrap().as_object_mut().unwrap();
            let value = entries.remove(label).unwrap();
            entries.insert(text.to_owned(), value);
            assert!(is_refused(&shop), "{block} {text:?}");
        }
    }
}

#[test]
fn steps_out_of_a_folder_are_refused() {
    for path in [
        "..",
        "../beta/x",
        "acme/../beta/x",
        "acme/./x",
        "acme//x",
        "/acme/x",
        "acme/x/",
        "acme/%2e%2e/beta",
        "acme/x?dc=dc2",
        "acme/x@dc2",
        "acme/*",
        "acme/.x",
        "beta/x",
        "acme",
        "acmebeta/x",
        "ACME/x",
        "oam/applications/acme/shop",
        "oam/tenants/acme",
    ] {
        let mut shop = shop();
        shop["component"]["web"]["env_from"]["MOTD"]["consul_key"]["key"] = path.into();
        assert!(is_refused(&shop), "{path}");
    }
    for path in [
        "secret/data/beta/db",
        "secret/data/acme/../beta/db",
        "secret/data/acme",
        "secret/data/acmebeta/db",
        "secret/data/ACME/db",
        "secret/data/+/db",
        "secret/data/acme/*",
        "secret/data/acme/%2e%2e/beta/db",
        "secret/data/acme/db?version=1",
        "secret/beta/db",
        "secret/metadata/acme/db",
        "secret/data",
        "kv/data/acme/db",
        "acme/db",
        "sys/mounts",
        "auth/token/lookup-self",
        "secretx/data/acme/db",
    ] {
        let field = |shop: &mut Value| match shop.pointer_mut("/component/web/vault_secret") {
            Some(Value::Object(secrets)) => {
                let secret = secrets.remove("secret/data/acme/db").unwrap();
                secrets.insert(path.to_owned(), secret);
            }
            _ => panic!("no secrets"),
        };
        let pull = |shop: &mut Value| shop["component"]["web"]["image_pull_secret"] = path.into();
        let from = |shop: &mut Value| {
            shop["component"]["web"]["env_from"]["PIN"]["vault_secret"]["path"] = path.into();
        };
        for put in [&field as &dyn Fn(&mut Value), &pull, &from] {
            let mut shop = shop();
            put(&mut shop);
            assert!(is_refused(&shop), "{path}");
        }
    }
}

#[test]
fn tags_are_no_labels_of_traefik() {
    for tag in [
        "traefik.enable",
        "Traefik.Enable",
        "traefik.http.routers.x.rule",
        "traefik.enable=true",
        "x=traefik.enable",
    ] {
        let mut shop = shop();
        shop["component"]["web"]["service_discovery"]["tags"] = json!([tag]);
        assert!(is_refused(&shop), "{tag}");
    }
}
