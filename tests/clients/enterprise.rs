//! The requests that only Enterprise builds answer, to a server that says it is one: there is none to run
//! here. What is asked, where, with which body, is what this proves; that the servers do what their
//! documentation says of it, it does not.

use std::sync::{Arc, Mutex};

use oam_provider::http::{Endpoint, Kind, Server, Settings};
use oam_provider::nomad::{Quota, QuotaLimit};
use oam_provider::provider::tenant::enterprise;
use oam_provider::tenants::{Mark, Names, Quotas};
use oam_provider::{consul, nomad, vault};
use serde_json::{Map, Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A request as it came.
#[derive(Debug, Clone, PartialEq)]
struct Asked {
    /// `PUT /v1/quota`, with the query.
    what: String,
    /// The body as JSON; `null` where there is none.
    body: Value,
    /// Vault's namespace.
    namespace: Option<String>,
}

type Answers = fn(&str) -> (u16, Value);

/// Serves answers by method and path; gives the address, and what is asked.
async fn serve(answers: Answers) -> (String, Arc<Mutex<Vec<Asked>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let all = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(connection(stream, answers, Arc::clone(&all)));
        }
    });
    (address, seen)
}

async fn connection(stream: TcpStream, answers: Answers, seen: Arc<Mutex<Vec<Asked>>>) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                return;
            }
            match line.trim_end() {
                "" => break,
                line => head.push(line.to_owned()),
            }
        }
        let header = |name: &str| {
            let mut values = head.iter().filter_map(|line| {
                let (key, value) = line.split_once(": ")?;
                key.eq_ignore_ascii_case(name).then(|| value.to_owned())
            });
            values.next()
        };
        let length = header("content-length").map_or(0, |it| it.parse().unwrap());
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.unwrap();
        let what = head[0].trim_end_matches(" HTTP/1.1").to_owned();
        let (status, answer) = answers(&what);
        seen.lock().unwrap().push(Asked {
            what,
            body: serde_json::from_slice(&body).unwrap_or_default(),
            namespace: header("x-vault-namespace"),
        });
        let text = match answer {
            Value::Null => String::new(),
            Value::String(text) => text,
            other => other.to_string(),
        };
        let answer = format!(
            "HTTP/1.1 {status} Answer\r\ncontent-length: {}\r\n\r\n{text}",
            text.len()
        );
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

fn endpoint(server: Server, address: &str, settings: Settings) -> Endpoint {
    let settings = Settings {
        address: Some(address.to_owned()),
        ..settings
    };
    Endpoint::from(server, settings, &|_| None).unwrap()
}

fn whats(seen: &Mutex<Vec<Asked>>) -> Vec<String> {
    let mut seen = seen.lock().unwrap();
    std::mem::take(&mut *seen)
        .into_iter()
        .map(|asked| asked.what)
        .collect()
}

fn writes(seen: &Mutex<Vec<Asked>>) -> Vec<(String, Value)> {
    let mut seen = seen.lock().unwrap();
    std::mem::take(&mut *seen)
        .into_iter()
        .filter(|asked| !asked.what.starts_with("GET "))
        .map(|asked| (asked.what, asked.body))
        .collect()
}

#[tokio::test]
async fn enterprise_builds_are_told_by_what_they_say() {
    let nomad =
        |address: &str| nomad::Client::new(endpoint(Server::Nomad, address, Settings::default()));
    let consul =
        |address: &str| consul::Client::new(endpoint(Server::Consul, address, Settings::default()));
    let vault =
        |address: &str| vault::Client::new(endpoint(Server::Vault, address, Settings::default()));
    let nomads: [(Answers, bool); 3] = [
        (|_| (200, json!([])), true),
        (|_| (403, json!("Permission denied")), true),
        (|_| (501, json!("Nomad Enterprise only endpoint")), false),
    ];
    for (answers, is) in nomads {
        let (address, seen) = serve(answers).await;
        let nomad = nomad(&address);
        for _ in 0..2 {
            assert_eq!(nomad.is_enterprise().await.unwrap(), is);
        }
        assert_eq!(whats(&seen), ["GET /v1/quotas"]);
    }
    let consuls: [(Answers, bool); 3] = [
        (|_| (200, json!({ "HumanVersion": "1.22.3+ent" })), true),
        (
            |_| (200, json!({ "HumanVersion": "1.22.3+ent.fips1402" })),
            true,
        ),
        (|_| (200, json!({ "HumanVersion": "1.22.3" })), false),
    ];
    for (answers, is) in consuls {
        let (address, seen) = serve(answers).await;
        let consul = consul(&address);
        for client in [&consul, &consul.in_namespace("acme")] {
            assert_eq!(client.is_enterprise().await.unwrap(), is);
        }
        assert_eq!(whats(&seen), ["GET /v1/agent/version"]);
    }
    let vaults: [(Answers, bool); 3] = [
        (|_| (200, health("1.21.0+ent", true)), true),
        // One that does not say it but by its version.
        (|_| (200, health("1.14.0+ent", false)), true),
        (|_| (200, health("1.21.0", false)), false),
    ];
    for (answers, is) in vaults {
        let (address, seen) = serve(answers).await;
        let vault = vault(&address);
        for client in [&vault, &vault.in_namespace("acme")] {
            assert_eq!(client.is_enterprise().await.unwrap(), is);
        }
        assert_eq!(seen.lock().unwrap().len(), 1);
    }
}

fn health(version: &str, enterprise: bool) -> Value {
    json!({
        "initialized": true, "sealed": false, "version": version, "enterprise": enterprise,
    })
}

const HTTP_NOT_FOUND: (u16, Value) = (404, Value::Null);

/// A Nomad Enterprise with the tenant's namespace, which has no quota.
fn without_quota(what: &str) -> (u16, Value) {
    match what {
        "GET /v1/quotas" => (200, json!([])),
        "GET /v1/agent/self" => (200, json!({ "config": { "Region": "north" } })),
        "GET /v1/namespace/acme" => (200, json!({ "Name": "acme", "Capabilities": { "a": 1 } })),
        what if what.starts_with("GET ") => HTTP_NOT_FOUND,
        _ => (200, Value::Null),
    }
}

/// One where the quota is as the tenant wants it, with what Nomad adds.
fn with_quota(what: &str) -> (u16, Value) {
    match what {
        "GET /v1/quota/oam-acme" => {
            let limits = json!([{ "Region": "north", "RegionLimit": {
                "CPU": 8000, "MemoryMB": -1, "Cores": 0, "Devices": null,
            }, "Hash": "aGFzaA==" }]);
            let description = Mark::of(&Names::of("oam", "acme")).to_string();
            let quota = json!({ "Name": "oam-acme", "Description": description, "Limits": limits });
            (200, quota)
        }
        "GET /v1/namespace/acme" => (200, json!({ "Name": "acme", "Quota": "oam-acme" })),
        what => without_quota(what),
    }
}

/// One where both are somebody else's.
fn with_others_quota(what: &str) -> (u16, Value) {
    match what {
        "GET /v1/quota/oam-acme" => (200, json!({ "Name": "oam-acme", "Limits": [] })),
        what => with_quota(what),
    }
}

/// One where the namespace has a quota of somebody else's.
fn with_another_quota(what: &str) -> (u16, Value) {
    match what {
        "GET /v1/namespace/acme" => (200, json!({ "Name": "acme", "Quota": "gold" })),
        what => without_quota(what),
    }
}

fn community(what: &str) -> (u16, Value) {
    match what {
        "GET /v1/quotas" => (501, json!("Nomad Enterprise only endpoint")),
        _ => (500, json!("nobody should ask")),
    }
}

#[tokio::test]
async fn a_tenants_limits_are_a_quota_of_nomads() {
    let names = Names::of("oam", "acme");
    let limits = Quotas {
        max_cpu_mhz: Some(8000),
        max_memory_mb: Some(0),
        max_jobs: Some(5),
        ..Quotas::default()
    };
    let none = Quotas {
        max_jobs: Some(5),
        ..Quotas::default()
    };
    let quota = json!({
        "Name": "oam-acme",
        "Description": Mark::of(&names).to_string(),
        // Zero is no limit to Nomad, and less is nothing at all.
        "Limits": [{ "Region": "north", "RegionLimit": { "CPU": 8000, "MemoryMB": -1 } }],
    });
    let namespace =
        |quota: &str| json!({ "Name": "acme", "Description": "", "Meta": {}, "Quota": quota });
    let mut kept = namespace("oam-acme");
    kept["Capabilities"] = json!({ "a": 1 });
    let written = |what: &str, body: &Value| (what.to_owned(), body.clone());
    type Writes = Vec<(String, Value)>;
    let cases: [(&str, Answers, &Quotas, Result<Writes, &str>); 7] = [
        (
            "new",
            without_quota,
            &limits,
            Ok(vec![
                written("PUT /v1/quota", &quota),
                written("PUT /v1/namespace/acme", &kept),
            ]),
        ),
        ("as it is", with_quota, &limits, Ok(vec![])),
        (
            "no more limits",
            with_quota,
            &none,
            Ok(vec![
                written("PUT /v1/namespace/acme", &namespace("")),
                written("DELETE /v1/quota/oam-acme", &Value::Null),
            ]),
        ),
        ("none and none wanted", without_quota, &none, Ok(vec![])),
        (
            "somebody else's",
            with_others_quota,
            &limits,
            Err("is not this tenant's"),
        ),
        (
            "somebody else's of the namespace",
            with_another_quota,
            &limits,
            Err("has another quota"),
        ),
        ("a community build", community, &limits, Ok(vec![])),
    ];
    for (case, answers, quotas, expected) in cases {
        let (address, seen) = serve(answers).await;
        let nomad = nomad::Client::new(endpoint(Server::Nomad, &address, Settings::default()));
        let done = enterprise::limit(&nomad, &names, quotas).await;
        match (done, expected) {
            (Ok(()), Ok(expected)) => assert_eq!(writes(&seen), expected, "{case}"),
            (Err(error), Err(words)) => {
                assert!(error.summary.contains(words), "{case}: {error:?}");
                let written = writes(&seen);
                let touched = written.iter().any(|(what, _)| what.contains("namespace"));
                assert!(!touched, "{case}: {written:?}");
            }
            (done, _) => panic!("{case}: {done:?}"),
        }
    }
    let gone: [(Answers, &[&str]); 4] = [
        (with_quota, &["DELETE /v1/quota/oam-acme"]),
        (with_others_quota, &[]),
        (without_quota, &[]),
        (community, &[]),
    ];
    for (answers, expected) in gone {
        let (address, seen) = serve(answers).await;
        let nomad = nomad::Client::new(endpoint(Server::Nomad, &address, Settings::default()));
        enterprise::lift(&nomad, &names).await.unwrap();
        let written: Vec<_> = writes(&seen).into_iter().map(|(what, _)| what).collect();
        assert_eq!(written, expected);
    }
}

#[tokio::test]
async fn quotas_are_read_back() {
    let (address, seen) = serve(with_quota).await;
    let settings = Settings {
        region: Some("north".to_owned()),
        ..Settings::default()
    };
    let nomad = nomad::Client::new(endpoint(Server::Nomad, &address, settings));
    assert_eq!(nomad.region().await.unwrap(), "north");
    assert_eq!(nomad.quota("other").await.unwrap(), None);
    let none = Quota {
        name: "a".to_owned(),
        limits: vec![QuotaLimit::of("north", None, Some(1))],
        ..Quota::default()
    };
    nomad.write_quota(&none).await.unwrap();
    nomad.delete_quota("a").await.unwrap();
    let limits = json!([{ "Region": "north", "RegionLimit": { "CPU": 0, "MemoryMB": 1 } }]);
    assert_eq!(seen.lock().unwrap()[1].body["Limits"], limits);
    assert_eq!(
        whats(&seen),
        [
            "GET /v1/quota/other?region=north",
            "PUT /v1/quota?region=north",
            "DELETE /v1/quota/a?region=north",
        ]
    );
}

#[tokio::test]
async fn consuls_namespaces_and_partitions_are_named_in_every_request() {
    let answers: Answers = |what| match what {
        what if what.starts_with("GET /v1/namespace/acme") => (
            200,
            json!({ "Name": "acme", "ACLs": { "RoleDefaults": [] } }),
        ),
        what if what.starts_with("GET ") => HTTP_NOT_FOUND,
        _ => (200, json!({})),
    };
    let (address, seen) = serve(answers).await;
    let settings = Settings {
        namespace: Some("platform".to_owned()),
        partition: Some("east".to_owned()),
        datacenter: Some("dc2".to_owned()),
        ..Settings::default()
    };
    let consul = consul::Client::new(endpoint(Server::Consul, &address, settings));
    consul.get("oam/a").await.unwrap();
    consul.acl_policy("p").await.unwrap();
    let acme = consul.in_namespace("acme");
    acme.get("oam/a").await.unwrap();
    acme.acl_role("r").await.unwrap();
    acme.delete_acl_token("t").await.unwrap();
    let found = consul.namespace("acme").await.unwrap().unwrap();
    assert!(found.rest.contains_key("ACLs"));
    consul.write_namespace(&found).await.unwrap();
    let body = seen.lock().unwrap().last().unwrap().body.clone();
    assert_eq!(
        (&body["Name"], &body["ACLs"]),
        (&json!("acme"), &json!({ "RoleDefaults": [] }))
    );
    consul.delete_namespace("acme").await.unwrap();
    assert_eq!(
        whats(&seen),
        [
            "GET /v1/kv/oam/a?dc=dc2&partition=east&ns=platform",
            "GET /v1/acl/policy/name/p?dc=dc2&partition=east&ns=platform",
            "GET /v1/kv/oam/a?dc=dc2&partition=east&ns=acme",
            "GET /v1/acl/role/name/r?dc=dc2&partition=east&ns=acme",
            "DELETE /v1/acl/token/t?dc=dc2&partition=east&ns=acme",
            "GET /v1/namespace/acme?dc=dc2&partition=east",
            "PUT /v1/namespace/acme?dc=dc2&partition=east",
            "DELETE /v1/namespace/acme?dc=dc2&partition=east",
        ]
    );
    // A community build says which of them it has not.
    let real = super::support::servers();
    let settings = Settings {
        namespace: Some("platform".to_owned()),
        ..Settings::default()
    };
    let community = consul::Client::new(endpoint(Server::Consul, &real.consul.address, settings));
    let error = community.get("oam/a").await.unwrap_err();
    assert!(
        matches!(error.kind, Kind::Rejected { status: 400, .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("Enterprise"), "{error}");
}

#[tokio::test]
async fn vaults_namespaces_are_a_header() {
    let answers: Answers = |what| match what {
        "GET /v1/sys/namespaces/acme" => (
            200,
            json!({ "data": { "path": "acme/", "custom_metadata": { "a": "b" } } }),
        ),
        what if what.starts_with("GET /v1/sys/health") => (
            200,
            json!({ "initialized": true, "sealed": false, "version": "1.21.0+ent" }),
        ),
        what if what.starts_with("GET ") => (404, json!({ "errors": [] })),
        _ => (204, Value::Null),
    };
    let (address, seen) = serve(answers).await;
    let settings = Settings {
        namespace: Some("platform/".to_owned()),
        ..Settings::default()
    };
    let vault = vault::Client::new(endpoint(Server::Vault, &address, settings));
    let meta = Map::from_iter([("a".to_owned(), json!("b"))]);
    assert_eq!(vault.namespace("acme").await.unwrap(), Some(meta.clone()));
    assert_eq!(vault.namespace("beta").await.unwrap(), None);
    vault.write_namespace("beta", &meta).await.unwrap();
    vault.delete_namespace("beta").await.unwrap();
    let acme = vault.in_namespace("acme");
    acme.policy("p").await.unwrap();
    acme.delete_jwt_role("team/jwt", "r").await.unwrap();
    assert!(acme.health().await.unwrap().enterprise);
    let seen: Vec<_> = std::mem::take(&mut *seen.lock().unwrap());
    let in_namespaces: Vec<_> = seen
        .iter()
        .map(|asked| {
            (
                asked.what.as_str(),
                asked.namespace.as_deref().unwrap_or("-"),
            )
        })
        .collect();
    let health =
        "GET /v1/sys/health?standbyok=true&perfstandbyok=true&sealedcode=200&uninitcode=200";
    assert_eq!(
        in_namespaces,
        [
            ("GET /v1/sys/namespaces/acme", "platform/"),
            ("GET /v1/sys/namespaces/beta", "platform/"),
            ("POST /v1/sys/namespaces/beta", "platform/"),
            ("DELETE /v1/sys/namespaces/beta", "platform/"),
            ("GET /v1/sys/policies/acl/p", "platform/acme"),
            ("DELETE /v1/auth/team/jwt/role/r", "platform/acme"),
            // The health is one for all namespaces.
            (health, "-"),
        ]
    );
    assert_eq!(seen[2].body, json!({ "custom_metadata": { "a": "b" } }));
}
