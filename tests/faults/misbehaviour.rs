//! Nomad and Consul misbehave, at one call of an operation: too slow, cut off, refusing, failing, with stale
//! or broken answers. What can be done all the same is done, the rest is told, and what is asked for
//! afterwards comes out even: nothing is lost, and nothing is registered twice.

use std::time::Duration;

use crate::cuts::{Call, Cut, Deed, asked_stride, selected};
use crate::scenarios::{Scenario, applications};
use crate::support::{Action, Run};
use crate::trial::Trial;

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
    let Call { method, path, .. } = &cut.call;
    let only_asks = method == "GET" || path.contains("/plan?");
    // Done twice they change nothing the second time.
    let repeats = only_asks || method == "DELETE" || path.starts_with("/v1/session/");
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

fn judge(cut: &Cut, run: &Run) -> Result<(), String> {
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
    if has_to_succeed(cut) {
        return Err(format!("it should have succeeded: {told:#?}"));
    }
    if told.is_empty() {
        return Err(format!("no error is told: {run:?}"));
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
        let says = ["Nomad", "Consul", "changed since the plan", "has changed"];
        if !says.iter().any(|it| text.contains(it)) {
            return Err(format!("it is not told who is to blame: {text}"));
        }
    }
    Ok(())
}

fn misbehave_at_every_call(scenario: &Scenario, otherwise: usize) {
    let trial = Trial::new(scenario);
    let calls = trial.calls();
    let faults = faults();
    let each = calls.iter().flat_map(|call| {
        faults.iter().map(|(name, action)| Cut {
            call: call.clone(),
            deed: Deed::Fault(name, action.clone()),
        })
    });
    // A first answer has none before it, and what is written is not stale.
    let all: Vec<_> = each
        .filter(|cut| {
            cut.deed.name() != "stale" || cut.call.method == "GET" && may_be_stale(&cut.call)
        })
        .collect();
    let points = all.len();
    let cuts = selected(all, scenario.name, asked_stride().unwrap_or(otherwise));
    let outcome = trial.run(&cuts, timeout, judge);
    println!(
        "{}: {} calls, {points} faults, {} tried, {} whose call did not come, {} came to a good end by \
         themselves, {} wrong",
        scenario.name,
        calls.len(),
        outcome.made,
        outcome.missed.len(),
        outcome.succeeded,
        outcome.wrong.len(),
    );
    println!("did not come: {:#?}", outcome.missed);
    assert!(outcome.wrong.is_empty(), "{:#?}", outcome.wrong);
    assert!(
        outcome.missed.len() * 5 <= outcome.made,
        "most faults did not happen: {:#?}",
        outcome.missed
    );
}

fn may_be_stale(call: &Call) -> bool {
    call.nth > 0 || call.path.ends_with("blocking")
}

#[test]
fn a_create_copes_with_servers_that_misbehave() {
    misbehave_at_every_call(&applications::CREATE_ODDLY, 30);
}

#[test]
fn an_update_copes_with_servers_that_misbehave() {
    misbehave_at_every_call(&applications::UPDATE_ODDLY, 40);
}

#[test]
fn a_destroy_copes_with_servers_that_misbehave() {
    misbehave_at_every_call(&applications::DESTROY_ODDLY, 30);
}
