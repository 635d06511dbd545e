//! What an application depends on and is not there, and comes up while its apply begins: neither side misses
//! the other, in whatever order their requests arrive at Consul, and whichever of them dies.

use serde_json::json;

use super::super::ADDRESS as IT;
use super::{behind, domains, provider, record, tenant, text, workspace};
use crate::support::proxy::{Action, Gate, Proxy};
use crate::support::terraform::Running;
use crate::support::{Workspace, servers};

const APPLY: &[&str] = &["apply", "-json", "-auto-approve"];

/// An application whose component asks for a host, or is asked for nothing.
fn asking(name: &str, host: Option<&str>) -> String {
    let ingress = host.map(|host| format!("ingress {{\n      host = \"{host}\"\n    }}"));
    super::super::application(
        name,
        &format!(
            r#"
  component "web" {{
    type    = "webservice"
    driver  = "raw_exec"
    command = ["/bin/sleep", "100000"]
    port "http" {{
      port = 80
    }}
    {}
    update_strategy {{
      min_healthy_time = "1s"
    }}
  }}"#,
            ingress.unwrap_or_default()
        ),
    )
}

fn owner(prefix: &str, name: &str, domain: &str) -> Workspace {
    let fields = format!("domain = \"{domain}\"");
    workspace(servers(), prefix, &tenant(name, &fields))
}

/// Holds the first transaction at a gate, and every read after it of what begins so at another.
fn hold(consul: &Proxy, read: &str, at_write: &Gate, at_read: &Gate) {
    let (at_write, at_read) = (at_write.clone(), at_read.clone());
    let read = format!("/v1/kv/{read}");
    let mut written = false;
    consul.rule(move |seen| {
        let (writes, reads) = (
            seen.path.starts_with("/v1/txn"),
            seen.method == "GET" && seen.path.starts_with(&read),
        );
        if writes && !std::mem::replace(&mut written, true) {
            return Action::Hold(at_write.clone());
        }
        if reads && written {
            return Action::Hold(at_read.clone());
        }
        Action::Forward
    });
}

/// A gate that lets everything pass.
fn open() -> Gate {
    let gate = Gate::new();
    gate.open();
    gate
}

fn kill(running: Running) {
    let provider = running.provider().expect("the provider runs");
    nix::sys::signal::kill(provider, nix::sys::signal::Signal::SIGKILL).unwrap();
    let run = running.wait();
    assert_ne!(run.code, Some(0), "{run:?}");
}

/// The value of an application's record, as it is.
fn value(prefix: &str, tenant: &str, name: &str) -> Option<String> {
    let key = format!("{prefix}/applications/{tenant}/{name}");
    servers().consul.key(&key).map(|(value, _)| value)
}

/// No application has left anything.
fn nothing_of(prefix: &str, tenant: &str, name: &str) {
    assert_eq!(value(prefix, tenant, name), None);
    assert_eq!(servers().nomad.job_ids(name), Vec::<String>::new());
}

#[test]
fn a_domain_that_comes_before_the_intent_is_found_after_it() {
    let (prefix, name, domain) = ("nda", "nda-shop", "ndaacme.example.com");
    let host = format!("shop.{domain}");
    let work = workspace(servers(), prefix, &asking(name, Some(&host)));
    let consul = behind(&work, prefix);
    let gate = Gate::new();
    hold(&consul, "none", &gate, &open());
    let running = work.start(APPLY);
    gate.wait_for_arrival();
    let owner = owner(prefix, "ndaacme", domain);
    owner.apply();
    consul.take_seen();
    gate.open();
    let told = text(&running.wait().failed());
    assert!(told.contains("is the tenant ndaacme's"), "{told}");
    let path = format!("/v1/kv/{prefix}/domains");
    let looks = consul.take_seen().into_iter();
    let looks = looks.filter(|seen| seen.path.starts_with(&path));
    assert_eq!(looks.count(), 1, "one more look is enough");
    nothing_of(prefix, "default", name);
    assert_eq!(domains(servers(), prefix), json!({ domain: "ndaacme" }));
    owner.plan().assert_empty();
    owner.destroy();
    // Nobody has it any more.
    work.apply();
    work.destroy();
}

#[test]
fn an_update_that_is_given_back_leaves_the_record_as_it_was() {
    let (prefix, name, domain) = ("ndu", "ndu-shop", "nduacme.example.com");
    let host = format!("shop.{domain}");
    let work = workspace(servers(), prefix, &asking(name, None));
    work.apply();
    let before = value(prefix, "default", name);
    let job = servers().nomad.job("default", "ndu-shop-web");
    work.change(&asking(name, Some(&host)));
    let consul = behind(&work, prefix);
    let gate = Gate::new();
    hold(&consul, "none", &gate, &open());
    let running = work.start(APPLY);
    gate.wait_for_arrival();
    let owner = owner(prefix, "nduacme", domain);
    owner.apply();
    gate.open();
    let told = text(&running.wait().failed());
    assert!(told.contains("is the tenant nduacme's"), "{told}");
    assert_eq!(value(prefix, "default", name), before);
    let index = |job: &Option<serde_json::Value>| job.as_ref().unwrap()["JobModifyIndex"].clone();
    let now = servers().nomad.job("default", "ndu-shop-web");
    assert_eq!(index(&now), index(&job));
    work.change(&asking(name, None));
    work.plan().assert_empty();
    owner.destroy();
    work.change(&asking(name, Some(&host)));
    work.apply();
    work.destroy();
}

#[test]
fn an_intent_that_comes_before_the_domain_has_the_host() {
    let (prefix, name, domain) = ("ndb", "ndb-shop", "ndbacme.example.com");
    let host = format!("shop.{domain}");
    let work = workspace(servers(), prefix, &asking(name, Some(&host)));
    let consul = behind(&work, prefix);
    let gate = Gate::new();
    hold(&consul, &format!("{prefix}/domains"), &open(), &gate);
    let running = work.start(APPLY);
    gate.wait_for_arrival();
    let owner = owner(prefix, "ndbacme", domain);
    let told = text(&owner.try_apply().failed());
    assert!(told.contains("Others have hosts in the domain"), "{told}");
    assert!(told.contains("default/ndb-shop"), "{told}");
    gate.open();
    running.wait().succeeded();
    work.plan().assert_empty();
    assert!(servers().nomad.job("default", "ndb-shop-web").is_some());
    assert_eq!(record(servers(), prefix, "ndbacme"), None);
    assert_eq!(domains(servers(), prefix), json!({}));
    work.destroy();
    owner.apply();
    owner.destroy();
}

/// Both have written, and neither has read yet: whoever reads first gives up.
#[test]
fn of_two_that_have_written_one_goes_on_at_most() {
    for domain_first in [true, false] {
        let prefix = if domain_first { "ndc" } else { "ndd" };
        let (name, owns) = (format!("{prefix}-shop"), format!("{prefix}acme"));
        let domain = format!("{owns}.example.com");
        let host = format!("shop.{domain}");
        let work = workspace(servers(), prefix, &asking(&name, Some(&host)));
        let consul = behind(&work, prefix);
        let (intent, look) = (Gate::new(), Gate::new());
        hold(&consul, &format!("{prefix}/domains"), &intent, &look);
        let running = work.start(APPLY);
        intent.wait_for_arrival();
        let owner = owner(prefix, &owns, &domain);
        let others = behind(&owner, prefix);
        let list = Gate::new();
        hold(&others, &format!("{prefix}/applications/"), &open(), &list);
        let claiming = owner.start(APPLY);
        list.wait_for_arrival();
        assert_eq!(domains(servers(), prefix), json!({ &domain: &owns }));
        intent.open();
        look.wait_for_arrival();
        if domain_first {
            look.open();
            let told = text(&running.wait().failed());
            assert!(told.contains(&format!("is the tenant {owns}'s")), "{told}");
            nothing_of(prefix, "default", &name);
            list.open();
            claiming.wait().succeeded();
            owner.plan().assert_empty();
        } else {
            list.open();
            let told = text(&claiming.wait().failed());
            assert!(told.contains(&format!("default/{name}")), "{told}");
            assert_eq!(domains(servers(), prefix), json!({}));
            look.open();
            running.wait().succeeded();
            work.plan().assert_empty();
            work.destroy();
        }
        owner
            .run(&["destroy", "-json", "-auto-approve"])
            .succeeded();
    }
}

/// As a workspace that does not ask Nomad at the plan: the namespace is not there yet.
fn unasked(prefix: &str, configuration: &str) -> (Workspace, Proxy) {
    let work = Workspace::bare(configuration);
    let consul = behind(&work, prefix);
    let block = provider(servers(), prefix).replace(&servers().consul.address, &consul.address);
    let off = "  nomad {\n    dry_run = \"off\"\n";
    work.write("provider.tf", &block.replacen("  nomad {\n", off, 1));
    (work, consul)
}

#[test]
fn a_tenant_that_comes_before_the_intent_is_found_after_it() {
    for after_the_intent in [false, true] {
        let prefix = if after_the_intent { "nte" } else { "ntd" };
        let (name, owns) = (format!("{prefix}-shop"), format!("{prefix}acme"));
        let shop = super::application_of(&name, &format!("\"{owns}\""));
        let (work, consul) = unasked(prefix, &shop);
        let (gate, pass) = (Gate::new(), open());
        let read = format!("{prefix}/tenants/{owns}");
        // The tenant comes before the intent, or just after it and before the second look.
        match after_the_intent {
            false => hold(&consul, &read, &gate, &pass),
            true => hold(&consul, &read, &pass, &gate),
        }
        let running = work.start(APPLY);
        gate.wait_for_arrival();
        let owner = workspace(
            servers(),
            prefix,
            &tenant(&owns, "quotas {\n max_jobs = 1\n }"),
        );
        owner.apply();
        gate.open();
        let told = text(&running.wait().failed());
        assert!(
            told.contains(&format!("The tenant {owns} of {owns}/{name} has changed")),
            "{told}"
        );
        nothing_of(prefix, &owns, &name);
        // With the tenant as it is now it goes well, and is counted.
        work.apply();
        work.plan().assert_empty();
        let (ledger, _) = servers()
            .consul
            .key(&format!("{prefix}/usage/{owns}"))
            .unwrap();
        assert!(ledger.contains(&name), "{ledger}");
        owner.plan().assert_empty();
        work.destroy();
        owner.destroy();
    }
}

#[test]
fn a_tenant_that_comes_after_the_second_look_counts_the_application() {
    let (prefix, name, owns) = ("ntf", "ntf-shop", "ntfacme");
    let shop = super::application_of(name, &format!("\"{owns}\""));
    let (work, consul) = unasked(prefix, &shop);
    let (gate, read) = (Gate::new(), format!("/v1/kv/{prefix}/tenants/{owns}"));
    let (held, mut written) = (gate.clone(), false);
    consul.rule(move |seen| {
        let again = written && seen.path.starts_with(&read);
        written |= seen.path.starts_with("/v1/txn");
        match again {
            true => Action::HoldAnswer(held.clone()),
            false => Action::Forward,
        }
    });
    let running = work.start(APPLY);
    gate.wait_for_arrival();
    let quotas = |jobs: usize| tenant(owns, &format!("quotas {{\n max_jobs = {jobs}\n }}"));
    let owner = workspace(servers(), prefix, &quotas(1));
    owner.apply();
    gate.open();
    running.wait().succeeded();
    work.plan().assert_empty();
    let more = super::application_of("ntf-more", &format!("\"{owns}\""));
    let more = workspace(servers(), prefix, &more);
    let told = text(&more.try_apply().failed());
    assert!(told.contains("max_jobs"), "{told}");
    owner.plan().assert_empty();
    work.destroy();
    owner.destroy();
}

#[test]
fn an_apply_that_dies_before_its_second_look_is_asked_again() {
    let (prefix, name, domain) = ("ndx", "ndx-shop", "ndxacme.example.com");
    let host = format!("shop.{domain}");
    let work = workspace(servers(), prefix, &asking(name, Some(&host)));
    let consul = behind(&work, prefix);
    let gate = Gate::new();
    hold(&consul, &format!("{prefix}/domains"), &open(), &gate);
    let running = work.start(APPLY);
    gate.wait_for_arrival();
    kill(running);
    let left: serde_json::Value =
        serde_json::from_str(&value(prefix, "default", name).unwrap()).unwrap();
    assert_eq!(left["phase"], "applying");
    let owns = owner(prefix, "ndxacme", domain);
    // While the intent is there, its host is its own.
    let told = text(&owns.try_apply().failed());
    assert!(told.contains("default/ndx-shop"), "{told}");
    gate.open();
    work.apply();
    work.plan().assert_empty();
    work.destroy();
    owns.apply();
    owns.destroy();
}

#[test]
fn an_intent_that_died_in_anothers_domain_does_nothing_more() {
    let (prefix, name, domain) = ("ndy", "ndy-shop", "ndyacme.example.com");
    let host = format!("shop.{domain}");
    let work = workspace(servers(), prefix, &asking(name, Some(&host)));
    // A saved plan has the provider block in it.
    let consul = behind(&work, prefix);
    let plan = work.plan();
    // Another pipeline has planned the same, before anything came in between.
    let later = work.fork();
    let later_plan = later.plan();
    let (intent, look) = (Gate::new(), Gate::new());
    hold(&consul, &format!("{prefix}/domains"), &intent, &look);
    let running = work.start(&["apply", "-json", &plan.file]);
    intent.wait_for_arrival();
    let owner = owner(prefix, "ndyacme", domain);
    owner.apply();
    intent.open();
    look.wait_for_arrival();
    kill(running);
    look.open();
    // Neither the plan from before nor a new one gets through.
    for run in [later.apply_plan(&later_plan), work.try_plan()] {
        let told = text(&run.failed());
        assert!(told.contains("ndyacme"), "{told}");
    }
    assert_eq!(servers().nomad.job_ids(name), Vec::<String>::new());
    // With another host the next apply takes the intent over.
    work.change(&asking(name, Some("shop.ndy.example.org")));
    work.apply();
    work.plan().assert_empty();
    owner.plan().assert_empty();
    assert!(work.state(IT).is_some());
    work.destroy();
    owner.destroy();
    nothing_of(prefix, "default", name);
}
