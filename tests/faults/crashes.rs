//! The provider is killed at every call of an operation, in turn: before the server gets it, and after the
//! server has done it. What is asked for afterwards comes out even, as if nothing had happened.

use crate::cuts::{Call, Cut, Deed, selected, stride};
use crate::scenarios::{self, Scenario};
use crate::support::servers;
use crate::trial::Trial;

fn crash_at_every_call(scenario: &Scenario, otherwise: usize) {
    crash_at(scenario, otherwise, |_| true);
}

fn crash_at(scenario: &Scenario, otherwise: usize, which: fn(&Call) -> bool) {
    let trial = Trial::new(servers(), scenario);
    let calls: Vec<_> = trial.calls().into_iter().filter(which).collect();
    let each = calls.iter().flat_map(|call| {
        [Deed::KillBefore, Deed::KillAfter].map(|deed| Cut {
            call: call.clone(),
            deed,
        })
    });
    let all: Vec<_> = each.collect();
    let points = all.len();
    let cuts = selected(all, scenario.name, stride(otherwise));
    let outcome = trial.run(&cuts, |_| "30s", |_, _| Ok(()));
    println!(
        "{}: {} calls, {points} cut points, {} tried, {} whose call did not come, {} wrong",
        scenario.name,
        calls.len(),
        outcome.made,
        outcome.missed.len(),
        outcome.wrong.len(),
    );
    println!("did not come: {:#?}", outcome.missed);
    assert!(outcome.wrong.is_empty(), "{:#?}", outcome.wrong);
    // The order of what is done at once is not the same in each run, and neither is what a watch sees.
    assert!(
        outcome.missed.len() * 5 <= outcome.made,
        "most cuts were not made: {:#?}",
        outcome.missed
    );
}

#[test]
fn a_create_killed_at_any_call_converges() {
    crash_at_every_call(&scenarios::CREATE, 6);
}

#[test]
fn a_create_killed_half_way_can_be_made_into_something_else() {
    // Once it is settled it is something, and has to be imported.
    crash_at(&scenarios::OTHER, 3, |call| {
        call.path.starts_with("/v1/jobs?")
    });
}

#[test]
fn an_update_killed_at_any_call_converges() {
    crash_at_every_call(&scenarios::UPDATE, 12);
}

#[test]
fn an_update_killed_at_any_call_can_be_taken_back() {
    crash_at_every_call(&scenarios::BACK, 16);
}

#[test]
fn a_move_killed_at_any_call_converges() {
    crash_at_every_call(&scenarios::MOVE, 12);
}

#[test]
fn a_destroy_killed_at_any_call_converges() {
    crash_at_every_call(&scenarios::DESTROY, 8);
}

#[test]
fn a_destroy_killed_at_any_call_can_be_taken_back() {
    crash_at_every_call(&scenarios::KEEP, 16);
}
