//! `oam_tenant_token`: a second provider block that works with a tenant's tokens, which are gone
//! afterwards.

use super::{application_of, guarded, provider, tenant, text, workspace};
use crate::support::secrets::Planted;
use crate::support::{Action, Gate, Proxy, Servers, Workspace};
use serde_json::Value;

/// The servers behind proxies of one workspace.
struct Seen {
    servers: &'static Servers,
    nomad: Proxy,
    consul: Proxy,
}

impl Seen {
    fn new() -> Self {
        let servers = guarded();
        Self {
            servers,
            nomad: Proxy::start(&servers.nomad.address),
            consul: Proxy::start(&servers.consul.address),
        }
    }

    /// A workspace with the provider block of the platform, and one of the tenant with tokens of
    /// `ephemeral.oam_tenant_token.it`, which is called `oam.pipeline`.
    fn workspace(&self, prefix: &str, configuration: &str) -> Workspace {
        let direct = provider(self.servers, prefix);
        let owner = direct
            .replace(&self.servers.nomad.address, &self.nomad.address)
            .replace(&self.servers.consul.address, &self.consul.address);
        // Not through the proxies, so that these have only the requests about tokens.
        let pipeline = direct.replace(
            "provider \"oam\" {",
            "provider \"oam\" {\n  alias = \"pipeline\"",
        );
        let it = "ephemeral.oam_tenant_token.it";
        let pipeline = with_token(&pipeline, "nomad", &format!("{it}.nomad_token"));
        let pipeline = with_token(&pipeline, "consul", &format!("{it}.consul_token"));
        let mut work = Workspace::bare(configuration);
        work.write("provider.tf", &format!("{owner}{pipeline}"));
        work.set("TF_LOG", "TRACE");
        work.set("TF_LOG_PROVIDER", "TRACE");
        work
    }

    /// The tokens that were made so far, of Nomad and of Consul, each as the server has told it.
    fn made(&self) -> [Vec<Value>; 2] {
        [&self.nomad, &self.consul].map(|proxy| {
            let answers = proxy.answers().into_iter();
            let made = answers.filter(|(seen, _)| {
                seen.path.starts_with("/v1/acl/token?") || seen.path == "/v1/acl/token"
            });
            made.filter_map(|(_, text)| serde_json::from_str(&text).ok())
                .collect()
        })
    }

    /// The accessors of those that are still there.
    fn left(&self) -> Vec<String> {
        let [nomad, consul] = self.made();
        let accessor = |token: &Value| token["AccessorID"].as_str().unwrap().to_owned();
        let is_there = |api: &crate::support::api::Api, token: &Value| {
            let path = format!("/v1/acl/token/{}", accessor(token));
            let answer = api.ask(reqwest::Method::GET, &path, None).unwrap();
            answer.status == 200
        };
        let nomad = nomad.iter().filter(|it| is_there(&self.servers.nomad, it));
        let consul = consul
            .iter()
            .filter(|it| is_there(&self.servers.consul, it));
        nomad.chain(consul).map(accessor).collect()
    }

    /// Says that some were made, all are gone, and nothing has kept one.
    fn none_is_left(&self, work: &Workspace) {
        let made = self.made();
        assert!(made.iter().all(|tokens| !tokens.is_empty()), "{made:#?}");
        assert_eq!(self.left(), Vec::<String>::new());
        let mut planted = Planted::default();
        for token in made.iter().flatten() {
            planted.plant("a token", token["SecretID"].as_str().unwrap());
        }
        let files = planted.none_in_files(work.folder());
        assert!(
            files.contains("OpenEphemeralResource"),
            "nothing was logged"
        );
    }
}

/// A provider block with another token for a server (as an expression).
fn with_token(block: &str, server: &str, token: &str) -> String {
    let start = block.find(&format!("{server} {{")).unwrap();
    let from = start + block[start..].find("token = ").unwrap() + "token = ".len();
    let to = from + block[from..].find('\n').unwrap();
    format!("{}{token}{}", &block[..from], &block[to..])
}

/// A token for a tenant (as an expression).
fn token(tenant: &str, more: &str) -> String {
    format!("ephemeral \"oam_tenant_token\" \"it\" {{\n  tenant = {tenant}\n  {more}\n}}\n")
}

/// An application that the provider `oam.pipeline` looks after.
fn piped(name: &str, tenant: &str) -> String {
    let application = application_of(name, tenant);
    application.replacen("{\n", "{\n  provider = oam.pipeline\n", 1)
}

#[test]
fn a_tenant_and_its_application_come_and_go_in_one_configuration() {
    let seen = Seen::new();
    let all = |image: &str| {
        tenant("ttkone", "")
            + &token("oam_tenant.ttkone.name", "ttl = \"5m\"")
            + &piped("ttk-shop", "oam_tenant.ttkone.name").replace("report:1", image)
    };
    let work = seen.workspace("ttk", &all("report:1"));
    // The tenant is only to be made, so nobody can have its tokens yet.
    let plan = work.plan();
    assert_eq!(plan.actions("oam_application.it"), ["create"]);
    assert_eq!(seen.made(), [Vec::<Value>::new(), vec![]]);
    work.apply_plan(&plan).succeeded();
    assert!(seen.servers.nomad.job("ttkone", "ttk-shop-job").is_some());
    let [nomad, consul] = seen.made();
    assert_eq!(nomad[0]["Policies"], serde_json::json!(["ttk-ttkone"]));
    assert_eq!(nomad[0]["Type"], "client");
    assert_eq!(consul[0]["Policies"][0]["Name"], "ttk-ttkone");
    assert_eq!(consul[0]["Policies"].as_array().unwrap().len(), 1);
    assert!(nomad[0]["ExpirationTime"].is_string() && consul[0]["ExpirationTime"].is_string());
    seen.none_is_left(&work);

    // Now that it is there, a plan has tokens of its own.
    work.plan().assert_empty();
    assert!(seen.made()[0].len() > nomad.len());
    seen.none_is_left(&work);
    work.change(&all("report:2"));
    work.apply();
    work.plan().assert_empty();
    work.destroy();
    seen.none_is_left(&work);
    seen.none_is_left_in_servers();
    assert!(seen.servers.consul.keys("ttk/").is_empty());
}

impl Seen {
    fn none_is_left_in_servers(&self) {
        let mut planted = Planted::default();
        for token in self.made().iter().flatten() {
            planted.plant("a token", token["SecretID"].as_str().unwrap());
        }
        planted.none_in_servers(self.servers);
    }
}

#[test]
fn a_token_does_not_reach_another_tenant() {
    let seen = Seen::new();
    let owner = workspace(
        seen.servers,
        "ttm",
        &(tenant("ttmone", "") + &tenant("ttmtwo", "")),
    );
    owner.apply();
    let work = seen.workspace(
        "ttm",
        &(token("\"ttmone\"", "") + &piped("ttm-shop", "\"ttmtwo\"")),
    );
    let told = text(&work.try_apply().failed());
    assert!(told.contains("denied"), "{told}");
    assert_eq!(seen.servers.nomad.job("ttmtwo", "ttm-shop-job"), None);
    seen.none_is_left(&work);
    owner.destroy();
}

#[test]
fn a_tenant_that_can_have_no_tokens_is_told() {
    let seen = Seen::new();
    let owner = workspace(
        seen.servers,
        "ttn",
        &(tenant("ttnoff", "active = false") + &tenant("ttnbare", "")),
    );
    owner.apply();
    seen.servers.nomad.delete("/v1/acl/policy/ttn-ttnbare");
    for (name, summary) in [
        ("ttnnone", "No tenant \"ttnnone\""),
        ("ttnoff", "The tenant ttnoff is not active"),
        ("ttnbare", "The tenant ttnbare has no policy in Nomad"),
    ] {
        let work = seen.workspace("ttn", &token(&format!("{name:?}"), ""));
        let errors = work.try_apply().failed();
        assert_eq!(errors[0].summary, summary);
        assert_eq!(errors[0].code, format!("tenant = {name:?}"));
    }
    for (arguments, code) in [
        ("ttl = \"59s\"", "ttl = \"59s\""),
        ("ttl = \"25h\"", "ttl = \"25h\""),
        ("ttl = \"soon\"", "ttl = \"soon\""),
    ] {
        let work = seen.workspace("ttn", &token("\"ttnoff\"", arguments));
        let problems = work.validate();
        assert_eq!(problems[0].code, code, "{problems:#?}");
    }
    assert_eq!(seen.made(), [Vec::<Value>::new(), vec![]]);

    // Who may not make tokens is told what he needs.
    owner.apply();
    let policies = ["ttn-ttnbare"];
    let [nomad, consul] = [
        seen.servers.nomad.token_of(&policies),
        seen.servers.consul.token_of(&policies),
    ];
    let work = workspace(seen.servers, "ttn", &token("\"ttnbare\"", ""));
    let block = provider(seen.servers, "ttn");
    let with = with_token(&block, "nomad", &format!("{nomad:?}"));
    work.write("provider.tf", &with);
    let told = text(&work.try_apply().failed());
    assert!(told.contains("management tokens alone"), "{told}");
    let with = with_token(&block, "consul", &format!("{consul:?}"));
    work.write("provider.tf", &with);
    let told = text(&work.try_apply().failed());
    assert!(told.contains("acl = \"write\""), "{told}");
    // The one of Nomad was made before, and is gone.
    let tokens = seen.servers.nomad.get("/v1/acl/tokens");
    let names = tokens.as_array().unwrap().iter();
    let of_ours = names.filter(|it| it["Name"] == "oam_tenant_token of ttnbare");
    assert_eq!(of_ours.count(), 0);
    owner.destroy();
}

#[test]
fn what_is_opened_by_half_is_closed() {
    let seen = Seen::new();
    let owner = workspace(seen.servers, "tto", &tenant("ttoone", ""));
    owner.apply();
    let work = seen.workspace("tto", &token("\"ttoone\"", ""));
    for action in [
        Action::Echo(500),
        Action::Echo(403),
        Action::Close,
        Action::LoseAnswer,
    ] {
        let rule = action.clone();
        seen.consul.rule(move |it| {
            match it.method == "PUT" && it.path.starts_with("/v1/acl/token") {
                true => rule.clone(),
                false => Action::Forward,
            }
        });
        let told = text(&work.try_apply().failed());
        assert!(
            told.contains("No token of Consul for the tenant ttoone"),
            "{told}"
        );
        assert_eq!(
            told.contains("nobody knows it"),
            !matches!(action, Action::Echo(403)),
            "{told}"
        );
        // Whatever has become of Consul's, the one of Nomad is gone.
        let [nomad, _] = seen.made();
        assert!(!nomad.is_empty());
        let accessors: Vec<_> = nomad
            .iter()
            .map(|it| it["AccessorID"].as_str().unwrap())
            .collect();
        assert!(
            seen.left()
                .iter()
                .all(|it| !accessors.contains(&it.as_str()))
        );
    }
    owner.destroy();
}

#[test]
fn a_token_that_cannot_be_revoked_is_told() {
    let seen = Seen::new();
    let owner = workspace(seen.servers, "ttp", &tenant("ttpone", ""));
    owner.apply();
    let work = seen.workspace("ttp", &token("\"ttpone\"", ""));
    for (proxy, server, command) in [
        (&seen.nomad, "Nomad", "nomad acl token delete"),
        (&seen.consul, "Consul", "consul acl token delete"),
    ] {
        proxy.rule(|it| match it.method.as_str() {
            "DELETE" => Action::Echo(503),
            _ => Action::Forward,
        });
        let run = work.try_plan();
        proxy.rule(|_| Action::Forward);
        let told = text(&run.failed());
        assert!(
            told.contains(&format!(
                "A token of {server} for the tenant ttpone is not revoked"
            )),
            "{told}"
        );
        let [left] = &seen.left()[..] else {
            panic!("{:?}", seen.left())
        };
        assert!(
            told.contains(&format!("{command} ")) && told.contains(left),
            "{told}"
        );
        let [nomad, consul] = seen.made();
        let all = [nomad, consul].concat();
        let token = all.iter().find(|it| it["AccessorID"] == **left).unwrap();
        assert!(
            !told.contains(token["SecretID"].as_str().unwrap()),
            "{told}"
        );
        let ends = all[0]["ExpirationTime"].as_str().unwrap();
        assert!(
            told.contains(&ends[..10]),
            "when it ends is not told: {told}"
        );
        let path = format!("/v1/acl/token/{left}");
        match server {
            "Nomad" => seen.servers.nomad.delete(&path),
            _ => seen.servers.consul.delete(&path),
        };
    }
    owner.destroy();
}

#[test]
fn an_interrupted_run_closes_what_it_has_opened() {
    let seen = Seen::new();
    let owner = workspace(seen.servers, "ttq", &tenant("ttqone", ""));
    owner.apply();
    // Only what the pipeline's provider asks is held: its own proxy.
    let gate = Gate::new();
    let held = Proxy::start(&seen.servers.nomad.address);
    let configuration = token("\"ttqone\"", "") + &piped("ttq-shop", "\"ttqone\"");
    let work = seen.workspace("ttq", &configuration);
    let block = std::fs::read_to_string(work.folder().join("provider.tf")).unwrap();
    work.write(
        "provider.tf",
        &block.replace(&seen.servers.nomad.address, &held.address),
    );
    let wait = gate.clone();
    held.rule(move |it| {
        let writes = it.method != "GET" && it.path.starts_with("/v1/jobs");
        if writes {
            Action::Hold(wait.clone())
        } else {
            Action::Forward
        }
    });
    let running = work.start(&["apply", "-json", "-auto-approve"]);
    gate.wait_for_arrival();
    assert_eq!(seen.left().len(), 2, "{:#?}", seen.made());
    running.interrupt();
    gate.open();
    let run = running.wait();
    assert_ne!(run.code, None, "{run:#?}");
    seen.none_is_left(&work);
    work.destroy();
    owner.destroy();
}
