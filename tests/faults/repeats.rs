//! Which requests are sent again, and why: a table of all that the provider sends.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use futures_util::future::join_all;
use oam_provider::consul::{self, Behavior, Op};
use oam_provider::http::{Endpoint, Server, Settings};
use oam_provider::nomad::{self, Enforce, Namespace, NodePool};
use oam_provider::vault;
use serde_json::json;

use crate::support::{Action, Proxy, guarded, servers};

type Call = Box<dyn Fn(Clients) -> Pin<Box<dyn Future<Output = ()> + Send>>>;

/// A client of each server.
struct Clients {
    nomad: nomad::Client,
    consul: consul::Client,
    vault: vault::Client,
}

/// A request: its name, its method, whether it is sent again where it may have been done, and why.
struct Row(&'static str, &'static str, bool, &'static str, Call);

fn call<F: Future<Output = ()> + Send + 'static>(of: impl Fn(Clients) -> F + 'static) -> Call {
    Box::new(move |clients| Box::pin(of(clients)))
}

const READS: &str = "it changes nothing";
const SAME: &str = "done twice it comes to the same: the job is stopped, or gone; whoever holds the record's lock \
                    has seen that it is the application's";
const TWICE: &str = "it would overwrite, or act on, what somebody has made of the thing since";

const ONCE: &str = "its ID is not used again";

#[rustfmt::skip]
fn rows() -> Vec<Row> {
    let job = || json!({ "ID": "rp-job", "Name": "rp-job", "Type": "batch", "TaskGroups": [] });
    vec![
        Row("read a job", "GET", true, READS, call(|Clients { nomad, .. }| async move { drop(nomad.job("default", "rp").await); })),
        Row("list jobs", "GET", true, READS, call(|Clients { nomad, .. }| async move { drop(nomad.jobs("default", "rp").await); })),
        Row("read a key", "GET", true, READS, call(|Clients { consul, .. }| async move { drop(consul.get("rp").await); })),
        Row("read a key, latest", "GET", true, READS, call(|Clients { consul, .. }| async move { drop(consul.get_latest("rp").await); })),
        Row("list keys", "GET", true, READS, call(|Clients { consul, .. }| async move { drop(consul.list("rp/").await); })),
        Row("validate a job", "POST", true, READS, call(move |Clients { nomad, .. }| async move { drop(nomad.validate("default", &job()).await); })),
        Row("plan a job", "POST", true, READS, call(move |Clients { nomad, .. }| async move { drop(nomad.plan("default", "rp-job", &job(), false).await); })),
        Row("register a job", "POST", false, "the job tells whether it was done; sent again it could overwrite what somebody has made of it since", call(move |Clients { nomad, .. }| async move { drop(nomad.register("default", &job(), Enforce::New).await); })),
        Row("stop a job", "DELETE", true, SAME, call(|Clients { nomad, .. }| async move { drop(nomad.deregister("default", "rp-job", false).await); })),
        Row("purge a job", "DELETE", true, SAME, call(|Clients { nomad, .. }| async move { drop(nomad.deregister("default", "rp-job", true).await); })),
        Row("promote a deployment", "POST", false, TWICE, call(|Clients { nomad, .. }| async move { drop(nomad.promote_deployment("default", "rp").await); })),
        Row("give a deployment up", "POST", false, TWICE, call(|Clients { nomad, .. }| async move { drop(nomad.fail_deployment("default", "rp").await); })),
        Row("revert a job", "POST", false, TWICE, call(|Clients { nomad, .. }| async move { drop(nomad.revert_job("default", "rp-job", 1, 0).await); })),
        Row("restart an allocation", "POST", false, "it would restart it twice", call(|Clients { nomad, .. }| async move { drop(nomad.restart_allocation("default", "rp").await); })),
        Row("write a namespace", "PUT", false, TWICE, call(|Clients { nomad, .. }| async move { drop(nomad.write_namespace(&Namespace { name: "rp-repeats".to_owned(), ..Namespace::default() }).await); })),
        Row("delete a namespace", "DELETE", false, TWICE, call(|Clients { nomad, .. }| async move { drop(nomad.delete_namespace("rp-none").await); })),
        Row("write a node pool", "PUT", false, TWICE, call(|Clients { nomad, .. }| async move { drop(nomad.write_node_pool(&NodePool { name: "rp-repeats".to_owned(), ..NodePool::default() }).await); })),
        Row("delete a node pool", "DELETE", false, TWICE, call(|Clients { nomad, .. }| async move { drop(nomad.delete_node_pool("rp-none").await); })),
        Row("write a policy of Nomad", "PUT", false, TWICE, call(|Clients { nomad, .. }| async move { drop(nomad.write_acl_policy(&nomad::AclPolicy { name: "rp-repeats".to_owned(), ..nomad::AclPolicy::default() }).await); })),
        Row("delete a policy of Nomad", "DELETE", false, TWICE, call(|Clients { nomad, .. }| async move { drop(nomad.delete_acl_policy("rp-none").await); })),
        Row("write a policy of Consul", "PUT", false, TWICE, call(|Clients { consul, .. }| async move { drop(consul.write_acl_policy(&consul::AclPolicy::default()).await); })),
        Row("write a role of Consul", "PUT", false, TWICE, call(|Clients { consul, .. }| async move { drop(consul.write_acl_role(&consul::AclRole::default()).await); })),
        Row("write a binding rule", "PUT", false, "it would make another one", call(|Clients { consul, .. }| async move { drop(consul.write_binding_rule(&consul::BindingRule::default()).await); })),
        Row("delete a policy of Consul", "DELETE", true, ONCE, call(|Clients { consul, .. }| async move { drop(consul.delete_acl_policy("rp").await); })),
        Row("delete a role of Consul", "DELETE", true, ONCE, call(|Clients { consul, .. }| async move { drop(consul.delete_acl_role("rp").await); })),
        Row("delete a binding rule", "DELETE", true, ONCE, call(|Clients { consul, .. }| async move { drop(consul.delete_binding_rule("rp").await); })),
        Row("write a policy of Vault", "POST", false, TWICE, call(|Clients { vault, .. }| async move { drop(vault.write_policy("rp", "").await); })),
        Row("delete a policy of Vault", "DELETE", false, TWICE, call(|Clients { vault, .. }| async move { drop(vault.delete_policy("rp").await); })),
        Row("a transaction on records", "PUT", false, "the record tells whether it was done: an intent and an outcome are unique", call(|Clients { consul, .. }| async move { drop(consul.txn(&[Op::CheckNotExists { key: "rp" }]).await); })),
        Row("make a session", "PUT", true, "one too many holds nothing, and ends by itself", call(|Clients { consul, .. }| async move { drop(consul.create_session("rp", Duration::from_secs(10), Behavior::Release).await); })),
        Row("renew a session", "PUT", true, "it comes to the same", call(|Clients { consul, .. }| async move { drop(consul.renew_session("rp").await); })),
        Row("end a session", "PUT", true, "it comes to the same", call(|Clients { consul, .. }| async move { drop(consul.destroy_session("rp").await); })),
    ]
}

/// How often a request was sent that this became of.
async fn sent(row: &Row, proxies: &[Proxy; 3], action: &Action) -> usize {
    let Row(_, method, _, _, call) = row;
    for proxy in proxies {
        let (action, method) = (action.clone(), *method);
        proxy.rule(move |seen| match seen.method == method {
            true => action.clone(),
            false => Action::Forward,
        });
    }
    let endpoint = |server, address: &str| {
        let settings = Settings {
            address: Some(address.to_owned()),
            timeout: Some("1s".to_owned()),
            ..Settings::default()
        };
        Endpoint::from(server, settings, &|_| None).unwrap()
    };
    let [nomad, consul, vault] = proxies.each_ref().map(|it| it.address.as_str());
    call(Clients {
        nomad: nomad::Client::new(endpoint(Server::Nomad, nomad)),
        consul: consul::Client::new(endpoint(Server::Consul, consul)),
        vault: vault::Client::new(endpoint(Server::Vault, vault)),
    })
    .await;
    let seen = proxies.iter().flat_map(Proxy::take_seen);
    seen.filter(|seen| seen.method == *method).count()
}

#[test]
fn what_may_have_been_done_is_sent_again_only_where_that_is_safe() {
    let servers = servers();
    let later = || vec![("retry-after", "0")];
    // What becomes of the request, and whether the server may have done it then.
    let cases = [
        ("the answer is lost", Action::LoseAnswer, true),
        ("it does not arrive", Action::Close, true),
        ("500", Action::Answer(500, vec![], "broken"), true),
        (
            "502 after it was done",
            Action::AnswerAfter(502, vec![], "bad gateway"),
            true,
        ),
        ("503", Action::Answer(503, vec![], "overloaded"), true),
        ("429", Action::Answer(429, later(), "too many"), false),
        (
            "no leader",
            Action::Answer(500, vec![], "No cluster leader"),
            false,
        ),
    ];
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let addresses = [
        &servers.nomad.address,
        &servers.consul.address,
        &guarded().vault().address,
    ];
    let before = || addresses.map(|it| Proxy::start(it));
    let rows: Vec<_> = rows().into_iter().map(|row| (row, before())).collect();
    for (case, action, may_be_done) in cases {
        let all = join_all(
            rows.iter()
                .map(|(row, proxies)| sent(row, proxies, &action)),
        );
        for ((row, _), times) in rows.iter().zip(runtime.block_on(all)) {
            let Row(name, _, repeats, why, _) = row;
            let expected = match may_be_done && !*repeats {
                true => 1,
                // An election takes its time.
                false if case == "no leader" => 8,
                false => 3,
            };
            assert_eq!(times, expected, "{name}, where {case}: {why}");
        }
    }
    // Too late is too late: who has waited once for a whole timeout does not wait twice more.
    let late = Action::DelayAnswer(Duration::from_millis(1500));
    let all = join_all(rows.iter().map(|(row, proxies)| sent(row, proxies, &late)));
    for ((row, _), times) in rows.iter().zip(runtime.block_on(all)) {
        assert_eq!(times, 1, "{}, where the answer is late", row.0);
    }
    let nomad = &servers.nomad;
    let _ = nomad.ask(reqwest::Method::DELETE, "/v1/namespace/rp-repeats", None);
    let _ = nomad.ask(reqwest::Method::DELETE, "/v1/node/pool/rp-repeats", None);
}
