//! The clients' requests against the real servers: what comes back, and how refusals are told.

use oam_provider::consul::{Behavior, Op, TxnError};
use oam_provider::http::{Endpoint, Kind, Server, Settings};
use oam_provider::nomad::{Enforce, Wait};
use oam_provider::{consul, nomad};
use serde_json::{Value, json};

use super::support::proxy::{Action, Proxy};
use super::support::{Options, Servers, servers};
use super::{consul_at, endpoint, nomad_at};

fn job(id: &str) -> Value {
    json!({
        "ID": id, "Name": id, "Namespace": "default", "Type": "service", "Datacenters": ["*"],
        "Meta": { "oam.application": "default/shop" },
        "TaskGroups": [{ "Name": "group", "Count": 0, "Tasks": [{
            "Name": "task", "Driver": "raw_exec", "Config": { "command": "/bin/true" },
            "Resources": { "CPU": 20, "MemoryMB": 16 },
        }]}],
    })
}

#[tokio::test]
async fn a_job_is_registered_only_as_it_was_seen() {
    let nomad = nomad_at(&servers().nomad.address);
    let mut job = job("r-enforce");
    assert!(nomad.job("default", "r-enforce").await.unwrap().is_none());

    let refused = nomad
        .register("default", &job, Enforce::Index(5))
        .await
        .unwrap_err();
    assert!(
        refused.is_conflict() && !refused.may_have_been_done(),
        "{refused:?}"
    );
    assert!(refused.detail().contains("job does not exist"), "{refused}");
    let registered = nomad.register("default", &job, Enforce::New).await.unwrap();
    let live = nomad.job("default", "r-enforce").await.unwrap().unwrap();
    assert_eq!(live.job_modify_index, registered.job_modify_index);
    assert_eq!(
        (live.version, live.stop, live.kind.as_str()),
        (0, false, "service")
    );
    assert_eq!(live.meta["oam.application"], "default/shop");
    assert_eq!(live.json["TaskGroups"][0]["Name"], "group");

    job["Meta"]["oam.component"] = json!("web");
    let refused = nomad
        .register("default", &job, Enforce::New)
        .await
        .unwrap_err();
    assert!(
        refused.is_conflict() && refused.detail().contains("already exists"),
        "{refused}"
    );
    let index = live.job_modify_index;
    nomad
        .register("default", &job, Enforce::Index(index))
        .await
        .unwrap();
    let refused = nomad
        .register("default", &job, Enforce::Index(index))
        .await
        .unwrap_err();
    assert!(
        refused.is_conflict() && refused.detail().contains("conflicting"),
        "{refused}"
    );

    nomad
        .deregister("default", "r-enforce", false)
        .await
        .unwrap()
        .expect("an evaluation");
    let stopped = nomad.job("default", "r-enforce").await.unwrap().unwrap();
    assert!(stopped.stop && stopped.job_modify_index > index);
    nomad
        .deregister("default", "r-enforce", true)
        .await
        .unwrap();
    assert!(nomad.job("default", "r-enforce").await.unwrap().is_none());
    assert_eq!(
        nomad
            .deregister("default", "r-enforce", true)
            .await
            .unwrap(),
        None
    );
}

#[tokio::test]
async fn an_invalid_job_is_told_in_nomads_words() {
    let nomad = nomad_at(&servers().nomad.address);
    let mut invalid = job("r-invalid");
    invalid["TaskGroups"][0]["Tasks"][0]["Driver"] = json!("");
    let validated = nomad.validate("default", &invalid).await.unwrap();
    assert!(
        validated
            .errors
            .iter()
            .any(|error| error.contains("Missing task driver")),
        "{validated:?}"
    );
    let refused = nomad
        .register("default", &invalid, Enforce::New)
        .await
        .unwrap_err();
    assert!(
        refused.detail().contains("Missing task driver"),
        "{refused}"
    );
    assert!(
        nomad
            .validate("default", &job("r-valid"))
            .await
            .unwrap()
            .errors
            .is_empty()
    );

    let nonsense = nomad
        .register("default", &json!({ "ID": "x", "Type": 7 }), Enforce::New)
        .await
        .unwrap_err();
    assert!(
        matches!(nonsense.kind, Kind::Rejected { status: 400, .. }),
        "{nonsense:?}"
    );

    let elsewhere = nomad
        .register("no-such", &job("r-elsewhere"), Enforce::New)
        .await
        .unwrap_err();
    assert!(elsewhere.detail().contains("no-such"), "{elsewhere}");
}

#[tokio::test]
async fn a_plan_tells_what_would_not_fit_and_registers_nothing() {
    let nomad = nomad_at(&servers().nomad.address);
    let mut large = job("r-plan");
    large["TaskGroups"][0]["Count"] = json!(1);
    large["TaskGroups"][0]["Tasks"][0]["Resources"]["MemoryMB"] = json!(100_000_000);
    let planned = nomad.plan("default", "r-plan", &large, true).await.unwrap();
    assert_eq!(planned.job_modify_index, 0);
    assert_eq!(
        planned.failed_tg_allocs["group"].dimension_exhausted["memory"],
        1
    );
    assert_eq!(planned.diff["Type"], "Added");
    assert!(nomad.job("default", "r-plan").await.unwrap().is_none());
}

#[tokio::test]
async fn names_with_odd_characters_stay_one_name() {
    let servers = servers();
    let nomad = nomad_at(&servers.nomad.address);
    for id in ["r-odd a/b?c=d&e#f%41", "r-odd-ümlaut"] {
        let mut odd = job("r-odd");
        (odd["ID"], odd["Name"]) = (json!(id), json!("r-odd"));
        match nomad.register("default", &odd, Enforce::New).await {
            Ok(_) => assert_eq!(
                nomad.job("default", id).await.unwrap().unwrap().json["ID"],
                id
            ),
            // Nomad refuses spaces in IDs.
            Err(error) => assert!(error.detail().contains("space"), "{error}"),
        }
    }
    let consul = consul_at(&servers.consul.address);
    for key in ["r/a b", "r/ü?x=1#y&z", "r/a+b"] {
        consul
            .txn(&[Op::Set {
                key,
                value: key.as_bytes(),
            }])
            .await
            .unwrap();
        let entry = consul.get(key).await.unwrap().unwrap();
        assert_eq!(
            (entry.key.as_str(), entry.value.as_slice()),
            (key, key.as_bytes())
        );
    }
    // These would be another key on the way.
    for key in ["r/../x", "r/./x"] {
        let refused = consul.get(key).await.unwrap_err();
        assert!(matches!(refused.kind, Kind::Rejected { .. }), "{refused:?}");
    }
}

#[tokio::test]
async fn jobs_are_listed_by_prefix_with_their_meta() {
    let nomad = nomad_at(&servers().nomad.address);
    for id in ["r-list-a", "r-list-b"] {
        nomad
            .register("default", &job(id), Enforce::New)
            .await
            .unwrap();
    }
    let found = nomad.jobs("default", "r-list-").await.unwrap();
    let ids: Vec<_> = found
        .iter()
        .map(|stub| (stub.id.as_str(), stub.meta["oam.application"].as_str()))
        .collect();
    assert_eq!(
        ids,
        [("r-list-a", "default/shop"), ("r-list-b", "default/shop")]
    );
}

#[tokio::test]
async fn a_transaction_is_done_whole_or_not_at_all() {
    let consul = consul_at(&servers().consul.address);
    let set = Op::Set {
        key: "r-txn/a",
        value: b"1",
    };
    let refused = consul
        .txn(&[
            set,
            Op::CheckIndex {
                key: "r-txn/b",
                index: 9,
            },
        ])
        .await
        .unwrap_err();
    let TxnError::Refused(refusals) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(refusals[0].op_index, 1);
    assert_eq!(consul.get("r-txn/a").await.unwrap(), None);
}

fn tokens(
    servers: &Servers,
    nomad: Option<&str>,
    consul: Option<&str>,
) -> (nomad::Client, consul::Client) {
    (
        nomad::Client::new(endpoint(Server::Nomad, &servers.nomad.address, nomad)),
        consul::Client::new(endpoint(Server::Consul, &servers.consul.address, consul)),
    )
}

#[tokio::test]
async fn a_wrong_token_is_told_and_never_shown() {
    let servers = tokio::task::spawn_blocking(|| {
        Servers::start(Options {
            acl: true,
            ..Options::default()
        })
    })
    .await
    .unwrap();
    let wrong = "33333333-3333-4333-8333-333333333333";
    for token in [None, Some(wrong)] {
        let (nomad, consul) = tokens(&servers, token, token);
        let session = Behavior::Release;
        let errors = [
            nomad.job("default", "any").await.unwrap_err(),
            nomad
                .register("default", &job("any"), Enforce::New)
                .await
                .unwrap_err(),
            consul
                .create_session("any", std::time::Duration::from_secs(10), session)
                .await
                .unwrap_err(),
            match consul
                .txn(&[Op::Set {
                    key: "any",
                    value: b"",
                }])
                .await
                .unwrap_err()
            {
                TxnError::Http(error) => error,
                refused => panic!("{refused:?}"),
            },
        ];
        for error in errors {
            assert!(matches!(error.kind, Kind::Unauthorized { .. }), "{error:?}");
            assert_eq!(error.attempts, 1);
            let text = format!("{error} {error:?}");
            assert!(text.contains("TOKEN") && !text.contains(wrong), "{text}");
        }
    }
    let (nomad, consul) = tokens(
        &servers,
        servers.nomad.token.as_deref(),
        servers.consul.token.as_deref(),
    );
    assert!(nomad.job("default", "any").await.unwrap().is_none());
    consul
        .txn(&[Op::Set {
            key: "any",
            value: b"",
        }])
        .await
        .unwrap();
    tokio::task::spawn_blocking(move || drop(servers))
        .await
        .unwrap();
}

#[tokio::test]
async fn mutual_tls_works_and_what_is_missing_is_told() {
    let options = Options {
        tls: true,
        mutual_tls: true,
        ..Options::default()
    };
    let servers = tokio::task::spawn_blocking(|| Servers::start(options))
        .await
        .unwrap();
    let ca = servers.authority.as_ref().unwrap().pem.clone();
    let client = servers.client.as_ref().unwrap();
    let file = |path: &std::path::Path| Some(path.display().to_string());
    let complete = Settings {
        ca_pem: Some(ca.clone()),
        cert_file: file(&client.certificate),
        key_file: file(&client.key),
        ..Settings::default()
    };
    let other_ca = rcgen::generate_simple_self_signed(["other".to_owned()])
        .unwrap()
        .cert
        .pem();
    let named = |name: &str| Settings {
        tls_server_name: Some(name.to_owned()),
        ..complete.clone()
    };
    let cases = [
        ("complete", complete.clone(), None),
        ("another name of the certificate", named("localhost"), None),
        (
            "wrong name",
            named("nobody.example"),
            Some("`tls_server_name`"),
        ),
        (
            "wrong CA",
            Settings {
                ca_pem: Some(other_ca),
                ..complete.clone()
            },
            Some("`ca_file` or `ca_pem`"),
        ),
        (
            "no verification",
            Settings {
                ca_pem: None,
                skip_verify: Some(true),
                ..complete.clone()
            },
            None,
        ),
        (
            "no client certificate",
            Settings {
                cert_file: None,
                key_file: None,
                ..complete.clone()
            },
            Some("`cert_file` and `key_file`"),
        ),
    ];
    for (what, settings, advice) in cases {
        for (server, address) in [
            (Server::Nomad, &servers.nomad.address),
            (Server::Consul, &servers.consul.address),
        ] {
            let settings = Settings {
                address: Some(address.clone()),
                ..settings.clone()
            };
            let endpoint = Endpoint::from(server, settings, &|_| None).unwrap();
            let result = match server {
                Server::Nomad => nomad::Client::new(endpoint)
                    .job("default", "any")
                    .await
                    .map(drop),
                Server::Consul => consul::Client::new(endpoint).get("any").await.map(drop),
                Server::Vault => unreachable!("in `acl`"),
            };
            match (advice, result) {
                (None, result) => result.unwrap_or_else(|error| panic!("{what}: {error}")),
                (Some(advice), Ok(())) => panic!("{what}: {advice} was not missed by {server}"),
                (Some(advice), Err(error)) => {
                    assert!(matches!(error.kind, Kind::Tls { .. }), "{what}: {error:?}");
                    assert!(error.detail().contains(advice), "{what}: {error}");
                }
            }
        }
    }
    // http:// to a server that speaks TLS.
    let plain = servers.nomad.address.replace("https://", "http://");
    let error = nomad_at(&plain).job("default", "any").await.unwrap_err();
    assert!(error.detail().contains("Write https://"), "{error}");
    tokio::task::spawn_blocking(move || drop(servers))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_registration_whose_answer_is_lost_is_not_sent_again() {
    let proxy = Proxy::start(&servers().nomad.address);
    let nomad = nomad_at(&proxy.address);
    proxy.rule(|seen| {
        if seen.method == "POST" {
            Action::LoseAnswer
        } else {
            Action::Forward
        }
    });
    let error = nomad
        .register("default", &job("r-lost"), Enforce::New)
        .await
        .unwrap_err();
    assert!(error.may_have_been_done(), "{error:?}");
    assert_eq!(proxy.take_seen().len(), 1);
    assert!(nomad.job("default", "r-lost").await.unwrap().is_some());
}

#[tokio::test]
async fn a_blocking_query_waits_for_the_change() {
    let nomad = nomad_at(&servers().nomad.address);
    nomad
        .register("default", &job("r-wait"), Enforce::New)
        .await
        .unwrap();
    let (index, none) = nomad
        .latest_deployment("default", "r-wait", Wait::NONE)
        .await
        .unwrap();
    assert!(none.is_none());
    let mut one = job("r-wait");
    one["TaskGroups"][0]["Count"] = json!(1);
    nomad
        .register("default", &one, Enforce::Nothing)
        .await
        .unwrap();
    let mut wait = Wait {
        index,
        time: super::LIMIT,
    };
    let deployment = loop {
        let (index, found) = nomad
            .latest_deployment("default", "r-wait", wait)
            .await
            .unwrap();
        if let Some(found) = found {
            break found;
        }
        wait.index = index;
    };
    assert_eq!(deployment.job_version, 1);
}
