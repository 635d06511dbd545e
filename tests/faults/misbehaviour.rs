//! Nomad, Consul and Vault misbehave, at one call of an operation: too slow, cut off, refusing, failing, with
//! stale or broken answers. What can be done all the same is done, the rest is told, and what is asked for
//! afterwards comes out even: nothing is lost, and nothing is registered twice.

use std::time::Duration;

use crate::cuts::{Call, Cut, Deed};
use crate::scenarios::{Scenario, Step, applications, scopes, tenants};
use crate::support::{Action, Run};
use crate::survey::survey;

/// The provider's `timeout` where something is too late, and longer than that.
const TIMEOUT: &str = "4s";
const TOO_LATE: Duration = Duration::from_millis(4500);

/// Elsewhere it is long enough for servers that are only busy.
fn timeout(cut: &Cut) -> &'static str {
    match cut.deed.name().ends_with("too late") {
        true => TIMEOUT,
        false => "30s",
    }
}

fn faults() -> Vec<(&'static str, Action)> {
    let soon = || vec![("retry-after", "1")];
    vec![
        ("done too late", Action::Delay(TOO_LATE)),
        ("answered too late", Action::DelayAnswer(TOO_LATE)),
        ("closed", Action::Close),
        ("answer lost", Action::LoseAnswer),
        ("answer cut", Action::CutAnswer),
        ("answer truncated", Action::Truncate),
        ("stale", Action::Stale),
        ("429", Action::Answer(429, soon(), "not now")),
        (
            "500 instead",
            Action::Answer(500, vec![], "something broke"),
        ),
        (
            "502 afterwards",
            Action::AnswerAfter(502, vec![], "bad gateway"),
        ),
        ("503 instead", Action::Answer(503, soon(), "overloaded")),
    ]
}

/// Whether the run has to come to a good end by itself: what was not done is asked for again where nobody can
/// have done it, reads are asked again, and of a write whose answer was lost it is found out.
fn has_to_succeed(cut: &Cut) -> bool {
    let repeats = is_repeated(&cut.call);
    match cut.deed.name() {
        "429" => true,
        "closed" | "500 instead" | "503 instead" => repeats,
        "answer lost" | "answer cut" | "502 afterwards" => true,
        // The answer is there; it cannot be read. What is written is looked for.
        "answer truncated" => !repeats,
        "answered too late" => !repeats,
        _ => false,
    }
}

/// Whether a call changes nothing, or nothing the second time, so that it is sent again. The others would
/// overwrite or delete what somebody has made since: namespaces and node pools, policies and roles of Nomad and
/// Vault go by their names, and not by an ID that is used once.
fn is_repeated(call: &Call) -> bool {
    let Call {
        server,
        method,
        path,
        ..
    } = call;
    let only_asks = method == "GET" || path.contains("/plan?");
    let deleted_once = match *server {
        "nomad" => path.starts_with("/v1/job/"),
        "consul" => path.starts_with("/v1/acl/"),
        _ => false,
    };
    only_asks || method == "DELETE" && deleted_once || path.starts_with("/v1/session/")
}

/// What is wrong with how a run ended in which there are so many resources, and perhaps a record that others share.
fn judge(cut: &Cut, run: &Run, resources: usize, shared: bool) -> Result<(), String> {
    let errors: Vec<_> = run
        .diagnostics
        .iter()
        .filter(|it| it.severity == "error")
        .collect();
    let told: Vec<_> = errors
        .iter()
        .map(|error| format!("{}: {}", error.summary, error.detail))
        .collect();
    if run.code == Some(0) {
        return Ok(());
    }
    if has_to_succeed(cut) && !(shared && is_intent(&cut.call)) {
        return Err(format!("it should have succeeded: {told:#?}"));
    }
    if told.is_empty() {
        return Err(format!("no error is told: {run:?}"));
    }
    if told.len() > resources {
        return Err(format!("it is told more than once: {told:#?}"));
    }
    for text in &told {
        let crashed = [
            "did not respond",
            "panicked",
            "Request cancelled",
            "provider produced",
        ];
        if crashed.iter().any(|it| text.contains(it)) {
            return Err(format!("the provider crashed, or broke a promise: {text}"));
        }
        let says = [
            "Nomad",
            "Consul",
            "Vault",
            "changed since the plan",
            "has changed",
        ];
        if !says.iter().any(|it| text.contains(it)) {
            return Err(format!("it is not told who is to blame: {text}"));
        }
    }
    Ok(())
}

fn misbehave_at_every_call(scenario: &Scenario, otherwise: Option<usize>) {
    let faults = faults();
    let cuts = |call: &Call| {
        let each = faults.iter();
        let each = each.filter(|(name, _)| *name != "stale" || may_be_stale(call));
        each.map(|(name, action)| Cut {
            call: call.clone(),
            deed: Deed::Fault(name, action.clone()),
        })
        .collect()
    };
    let text = match (scenario.run, scenario.before) {
        (Step::Apply(text), _) | (Step::Destroy, Some(text)) => text,
        (Step::Destroy, None) => "",
    };
    let resources = text.matches("resource \"").count();
    // Tenants, which are made on the servers with access control, share a record of their domains.
    let shared = scenario.guarded;
    survey(scenario, otherwise, cuts, timeout, |cut, run| {
        judge(cut, run, resources, shared)
    });
}

/// Where another has changed a shared record at the same moment, Consul refuses the intent. Of a refusal of which
/// nothing is heard there is nothing to find out: nothing was done.
fn is_intent(call: &Call) -> bool {
    call.server == "consul" && call.path.starts_with("/v1/txn") && call.nth == 0
}

/// A first answer has none before it, and what is written is not stale.
fn may_be_stale(call: &Call) -> bool {
    call.method == "GET" && (call.nth > 0 || call.path.ends_with("blocking"))
}

#[test]
fn a_create_copes_with_servers_that_misbehave() {
    misbehave_at_every_call(&applications::CREATE_ODDLY, Some(30));
}

#[test]
fn an_update_copes_with_servers_that_misbehave() {
    misbehave_at_every_call(&applications::UPDATE_ODDLY, Some(40));
}

#[test]
fn a_destroy_copes_with_servers_that_misbehave() {
    misbehave_at_every_call(&applications::DESTROY_ODDLY, Some(30));
}

#[test]
fn a_create_of_a_tenant_copes_with_servers_that_misbehave() {
    misbehave_at_every_call(&tenants::CREATE_ODDLY, None);
}

#[test]
fn an_update_of_a_tenant_copes_with_servers_that_misbehave() {
    misbehave_at_every_call(&tenants::UPDATE_ODDLY, Some(80));
}

#[test]
fn a_destroy_of_a_tenant_copes_with_servers_that_misbehave() {
    misbehave_at_every_call(&tenants::DESTROY_ODDLY, None);
}

#[test]
fn a_create_of_scopes_copes_with_servers_that_misbehave() {
    misbehave_at_every_call(&scopes::CREATE_ODDLY, None);
}

#[test]
fn an_update_of_scopes_copes_with_servers_that_misbehave() {
    misbehave_at_every_call(&scopes::UPDATE_ODDLY, Some(60));
}

#[test]
fn a_destroy_of_scopes_copes_with_servers_that_misbehave() {
    misbehave_at_every_call(&scopes::DESTROY_ODDLY, None);
}
