//! What a tenant's own tokens can do at the servers, with the provider left out.

use super::*;
use crate::support::Options;
use crate::yearly;

use reqwest::Method;

/// Two tenants with an application each; gives the workspaces.
fn two(prefix: &str) -> [crate::support::Workspace; 3] {
    let servers = guarded();
    let (acme, beta) = (format!("{prefix}acme"), format!("{prefix}beta"));
    let both = tenant(&acme, &format!("domain = \"{acme}.example.com\"")) + &tenant(&beta, "");
    let owner = workspace(servers, prefix, &both);
    owner.apply();
    let shop = |tenant: &str| {
        let job = yearly("job", "image = \"a:1\"");
        let shop = application(&format!("{prefix}-shop"), tenant, &job);
        let work = workspace(servers, prefix, &shop);
        work.apply();
        work
    };
    [owner, shop(&acme), shop(&beta)]
}

#[test]
fn a_tenants_consul_token_reaches_its_own_records_alone() {
    let (servers, prefix) = (guarded(), "bt");
    let [owner, acme, beta] = two(prefix);
    let consul = &servers.consul;
    let token = consul.token_of(&["bt-btacme"]);
    let mine = consul.with_token(Some(&token));
    let ask = |method: &Method, path: &str, body: &str| {
        let body = (!body.is_empty()).then(|| body.to_owned());
        mine.ask(method.clone(), path, body)
    };
    let own = "/v1/kv/bt/applications/btacme/bt-shop";
    assert_eq!(ask(&Method::GET, own, "").unwrap().status, 200);
    assert_eq!(
        ask(&Method::GET, "/v1/kv/bt/tenants/btacme", "")
            .unwrap()
            .status,
        200
    );
    for path in [
        "bt/applications/btbeta/bt-shop",
        "bt/applications/btacme/../btbeta/bt-shop",
        "bt/applications/btacme/%2e%2e/btbeta/bt-shop",
        "bt/applications/default/shop",
        "bt/revisions/btbeta/bt-shop/0000000001",
        "bt/tenants/btbeta",
        "bt/usage/btbeta",
        "btbeta/motd",
        "other",
    ] {
        assert!(
            denied(ask(&Method::GET, &format!("/v1/kv/{path}"), "")),
            "{path}"
        );
        assert!(
            denied(ask(&Method::PUT, &format!("/v1/kv/{path}"), "x")),
            "{path}"
        );
        assert!(
            denied(ask(&Method::DELETE, &format!("/v1/kv/{path}"), "")),
            "{path}"
        );
    }
    // Its own tenant, the domains and the scopes are to read.
    for path in ["bt/tenants/btacme", "bt/domains", "bt/scopes/network/mesh"] {
        for method in [Method::PUT, Method::DELETE] {
            let answer = ask(&method, &format!("/v1/kv/{path}"), "");
            assert!(denied(answer.clone()), "{method} {path} {answer:?}");
        }
    }
    // A list has nothing of others', and nothing is deleted with a folder above.
    let keys = ask(&Method::GET, "/v1/kv/bt/?keys", "").unwrap();
    let keys: Vec<String> = serde_json::from_str(&keys.body).unwrap_or_default();
    assert!(
        !keys.is_empty() && !keys.iter().any(|key| key.contains("btbeta")),
        "{keys:?}"
    );
    for path in [
        "bt/?recurse",
        "bt/applications/?recurse",
        "bt/applications/bt?recurse",
        "?recurse",
    ] {
        assert!(
            denied(ask(&Method::DELETE, &format!("/v1/kv/{path}"), "")),
            "{path}"
        );
    }
    // Of a transaction with one such key nothing is done.
    let set = |key: &str| json!({ "KV": { "Verb": "set", "Key": key, "Value": "eA==" } });
    for other in [
        "bt/tenants/btacme",
        "bt/domains",
        "bt/applications/btbeta/bt-shop",
    ] {
        let body = json!([set("btacme/x"), set(other)]).to_string();
        let answer = ask(&Method::PUT, "/v1/txn", &body).unwrap();
        // Consul's answer to any transaction that was not done.
        assert_eq!(answer.status, 409, "{other}: {}", answer.body);
        assert!(answer.body.contains("Permission denied"), "{}", answer.body);
    }
    assert_eq!(consul.key("btacme/x"), None);
    for (method, path, body) in [
        (
            Method::PUT,
            "/v1/agent/service/register",
            json!({ "Name": "btbeta-x", "Port": 1 }),
        ),
        (
            Method::PUT,
            "/v1/agent/service/register",
            json!({ "Name": "x", "Port": 1 }),
        ),
        (
            Method::PUT,
            "/v1/acl/token",
            json!({ "Policies": [{ "Name": "global-management" }] }),
        ),
        (
            Method::PUT,
            "/v1/acl/policy",
            json!({ "Name": "bt-x", "Rules": "key_prefix \"\" { policy = \"write\" }" }),
        ),
    ] {
        let answer = ask(&method, path, &body.to_string());
        assert!(denied(answer.clone()), "{path} {body} {answer:?}");
    }
    assert!(denied(ask(&Method::GET, "/v1/acl/tokens", "")));
    for work in [acme, beta, owner] {
        work.plan().assert_empty();
        work.destroy();
    }
}

#[test]
fn a_tenants_nomad_token_reaches_its_own_namespaces_alone() {
    let (servers, prefix) = (guarded(), "bu");
    let [owner, acme, beta] = two(prefix);
    let nomad = &servers.nomad;
    let token = nomad.token_of(&["bu-buacme"]);
    let mine = nomad.with_token(Some(&token));
    let ask = |method: &Method, path: &str, body: &Value| {
        let body = (!body.is_null()).then(|| body.to_string());
        mine.ask(method.clone(), path, body)
    };
    assert!(mine.find("/v1/job/bu-shop-job?namespace=buacme").is_some());
    let listed = mine.get("/v1/jobs?namespace=*").to_string();
    assert!(
        listed.contains("buacme") && !listed.contains("bubeta"),
        "{listed}"
    );
    let listed = mine.get("/v1/namespaces").to_string();
    assert!(
        listed.contains("buacme") && !listed.contains("bubeta"),
        "{listed}"
    );
    nomad.namespace("buacmex");
    let job =
        |namespace: &str| json!({ "Job": by_hand(namespace, "bu-hand", "exec sleep 100000") });
    for namespace in ["bubeta", "default", "buacmex"] {
        let at = |path: &str| {
            let mark = if path.contains('?') { '&' } else { '?' };
            format!("{path}{mark}namespace={namespace}")
        };
        for (method, path, body) in [
            (Method::GET, "/v1/jobs", Value::Null),
            (Method::GET, "/v1/job/bu-shop-job", Value::Null),
            (Method::GET, "/v1/job/bu-shop-job/versions", Value::Null),
            (Method::GET, "/v1/job/bu-shop-job/allocations", Value::Null),
            (Method::GET, "/v1/allocations", Value::Null),
            (Method::GET, "/v1/evaluations", Value::Null),
            (Method::GET, "/v1/deployments", Value::Null),
            (Method::GET, "/v1/vars", Value::Null),
            (Method::PUT, "/v1/jobs", job(namespace)),
            (Method::PUT, "/v1/job/bu-hand/plan", job(namespace)),
            (
                Method::DELETE,
                "/v1/job/bu-shop-job?purge=true",
                Value::Null,
            ),
            (
                Method::PUT,
                "/v1/job/bu-shop-job/periodic/force",
                Value::Null,
            ),
        ] {
            let answer = ask(&method, &at(path), &body).unwrap();
            // Of a list in a namespace that it may not read, Nomad 1.11 gives none of it.
            let nothing = method == Method::GET && matches!(&*answer.body, "[]" | "null");
            assert!(
                answer.status == 403 || nothing,
                "{namespace} {path}: {} {}",
                answer.status,
                answer.body
            );
        }
    }
    assert!(nomad.job("bubeta", "bu-shop-job").is_some());
    // Where the job says another namespace than the query, Nomad takes that of the query.
    let answer = ask(&Method::PUT, "/v1/jobs?namespace=buacme", &job("bubeta"));
    let answer = answer.unwrap();
    assert_eq!(answer.status, 200);
    // A job that is purged while it is being scheduled ends the Nomad server.
    nomad.wait_for_evaluation(&answer.json());
    nomad.stop("buacme", "bu-hand", true);
    assert!(nomad.job("bubeta", "bu-hand").is_none());
    for (method, path, body) in [
        (
            Method::PUT,
            "/v1/namespace/buacme",
            json!({ "Name": "buacme", "Description": "x" }),
        ),
        (
            Method::PUT,
            "/v1/namespace/buacme-more",
            json!({ "Name": "buacme-more" }),
        ),
        (Method::DELETE, "/v1/namespace/buacme", Value::Null),
        (
            Method::PUT,
            "/v1/acl/policy/bu-buacme",
            json!({ "Name": "bu-buacme", "Rules": "" }),
        ),
        (
            Method::PUT,
            "/v1/acl/token",
            json!({ "Type": "management" }),
        ),
        (Method::GET, "/v1/acl/tokens", Value::Null),
        (Method::GET, "/v1/acl/policy/bu-bubeta", Value::Null),
        (Method::GET, "/v1/nodes", Value::Null),
        (Method::GET, "/v1/agent/self", Value::Null),
        (Method::PUT, "/v1/system/gc", Value::Null),
        (Method::GET, "/v1/operator/raft/configuration", Value::Null),
    ] {
        assert!(denied(ask(&method, path, &body)), "{method} {path}");
    }
    nomad.delete("/v1/namespace/buacmex");
    for work in [acme, beta, owner] {
        work.plan().assert_empty();
        work.destroy();
    }
}

/// What `nomad setup consul` sets up lets a job register a service of any name. With a rule for each tenant
/// in its place, a job by hand has its own tenant's services alone.
#[test]
fn a_job_by_hand_registers_no_service_of_another_tenants() {
    let servers = &Servers::start(Options {
        acl: true,
        ..Options::default()
    });
    let (acme, beta) = ("bxacme", "bxbeta");
    let owner = workspace(servers, "bx", &(tenant(acme, "") + &tenant(beta, "")));
    owner.apply();
    let consul = &servers.consul;
    let rules = consul.get("/v1/acl/binding-rules?authmethod=nomad-workloads");
    for rule in rules.as_array().unwrap() {
        if rule["BindType"] == "service" {
            consul.delete(&format!(
                "/v1/acl/binding-rule/{}",
                rule["ID"].as_str().unwrap()
            ));
        }
    }
    for name in [acme, beta] {
        let selector = format!(
            "\"nomad_service\" in value and value.nomad_namespace matches \"^{name}(-.*)?$\" and \
             value.nomad_service matches \"^{name}-\""
        );
        consul.put(
            "/v1/acl/binding-rule",
            &json!({
                "AuthMethod": "nomad-workloads", "BindType": "service",
                "BindName": "${value.nomad_service}", "Selector": selector,
            }),
        );
    }
    let job = |id: &str, service: &str| {
        let mut job = by_hand(acme, id, "exec sleep 100000");
        let group = &mut job["TaskGroups"][0];
        group["Networks"] = json!([{ "DynamicPorts": [{ "Label": "http" }] }]);
        group["Services"] = json!([{
            "Name": service, "Provider": "consul", "PortLabel": "http",
            "Tags": ["traefik.http.routers.x.rule=Host(`bxbeta.example.com`)"],
        }]);
        servers.nomad.register(&job);
    };
    job("bx-good", "bxacme-web");
    job("bx-bad", "bxbeta-web");
    eventually("its own service is registered", || {
        (!consul.service("bxacme-web").is_empty()).then_some(())
    });
    let events = eventually("the other has failed", || {
        let all = servers.nomad.allocations(acme, "bx-bad");
        let allocation = all.first()?;
        let failed = allocation["ClientStatus"] == "failed";
        failed.then(|| allocation.to_string())
    });
    assert!(events.to_lowercase().contains("consul"), "{events}");
    assert_eq!(consul.service("bxbeta-web"), Vec::<Value>::new());
    // An application of the tenant's is as before.
    let work = workspace(
        servers,
        "bx",
        &application("bx-shop", beta, &web("web", "service_discovery {}")),
    );
    work.apply();
    eventually("the application's service is registered", || {
        (!consul.service("bxbeta-bx-shop-web").is_empty()).then_some(())
    });
    work.plan().assert_empty();
    work.destroy();
    for id in ["bx-good", "bx-bad"] {
        servers.nomad.stop(acme, id, true);
    }
    owner.destroy();
}
