//! The provider is killed at every call of an operation, in turn: before the server gets it, and after the
//! server has done it. What is asked for afterwards comes out even, as if nothing had happened.

use crate::cuts::{Call, Cut, Deed};
use crate::scenarios::{Scenario, applications, scopes, tenants, together};
use crate::survey::survey;

fn crash_at_every_call(scenario: &Scenario, otherwise: Option<usize>) {
    crash_at(scenario, otherwise, |_| true);
}

fn crash_at(scenario: &Scenario, otherwise: Option<usize>, which: fn(&Call) -> bool) {
    let cuts = |call: &Call| {
        let deeds = [Deed::KillBefore, Deed::KillAfter].into_iter();
        let deeds = deeds.filter(|_| which(call));
        deeds
            .map(|deed| Cut {
                call: call.clone(),
                deed,
            })
            .collect()
    };
    survey(scenario, otherwise, cuts, |_| "30s", |_, _| Ok(()));
}

#[test]
fn a_create_killed_at_any_call_converges() {
    crash_at_every_call(&applications::CREATE, Some(6));
}

#[test]
fn a_create_killed_half_way_can_be_made_into_something_else() {
    // Once it is settled it is something, and has to be imported.
    crash_at(&applications::OTHER, Some(3), |call| {
        call.path.starts_with("/v1/jobs?")
    });
}

#[test]
fn an_update_killed_at_any_call_converges() {
    crash_at_every_call(&applications::UPDATE, Some(12));
}

#[test]
fn an_update_killed_at_any_call_can_be_taken_back() {
    crash_at_every_call(&applications::BACK, None);
}

#[test]
fn a_move_killed_at_any_call_converges() {
    crash_at_every_call(&applications::MOVE, Some(12));
}

#[test]
fn a_destroy_killed_at_any_call_converges() {
    crash_at_every_call(&applications::DESTROY, Some(8));
}

#[test]
fn a_destroy_killed_at_any_call_can_be_taken_back() {
    crash_at_every_call(&applications::KEEP, None);
}

/// The writes of what is made: from the intent to the outcome.
fn makes(call: &Call) -> bool {
    let told = call.path.starts_with("/v1/txn") || call.path.starts_with("/v1/session/");
    call.method != "GET" && !told
}

#[test]
fn a_create_of_a_tenant_killed_at_any_call_converges() {
    crash_at_every_call(&tenants::CREATE, Some(20));
}

#[test]
fn a_create_of_a_tenant_killed_half_way_can_be_made_into_something_else() {
    crash_at(&tenants::OTHER, None, makes);
}

#[test]
fn an_update_of_a_tenant_killed_at_any_call_converges() {
    crash_at_every_call(&tenants::UPDATE, None);
}

#[test]
fn an_update_of_a_tenant_killed_at_any_call_can_be_taken_back() {
    crash_at_every_call(&tenants::BACK, None);
}

#[test]
fn an_update_of_a_tenant_killed_at_any_call_can_end_in_a_destroy() {
    crash_at_every_call(&tenants::END, None);
}

#[test]
fn a_destroy_of_a_tenant_killed_at_any_call_converges() {
    crash_at_every_call(&tenants::DESTROY, None);
}

#[test]
fn a_destroy_of_a_tenant_killed_at_any_call_can_be_taken_back() {
    crash_at_every_call(&tenants::KEEP, None);
}

#[test]
fn a_create_of_scopes_killed_at_any_call_converges() {
    crash_at_every_call(&scopes::CREATE, None);
}

#[test]
fn a_create_of_scopes_killed_half_way_can_be_made_into_something_else() {
    crash_at(&scopes::OTHER, None, makes);
}

#[test]
fn an_update_of_scopes_killed_at_any_call_converges() {
    crash_at_every_call(&scopes::UPDATE, Some(16));
}

#[test]
fn an_update_of_scopes_killed_at_any_call_can_be_taken_back() {
    crash_at_every_call(&scopes::BACK, None);
}

#[test]
fn a_destroy_of_scopes_killed_at_any_call_converges() {
    crash_at_every_call(&scopes::DESTROY, None);
}

#[test]
fn a_destroy_of_scopes_killed_at_any_call_can_be_taken_back() {
    crash_at_every_call(&scopes::KEEP, None);
}

#[test]
fn a_create_of_all_together_killed_at_any_call_converges() {
    crash_at_every_call(&together::CREATE, None);
}

#[test]
fn a_swap_of_all_together_killed_at_any_call_converges() {
    crash_at_every_call(&together::SWAP, Some(24));
}

#[test]
fn a_destroy_of_all_together_killed_at_any_call_converges() {
    crash_at_every_call(&together::DESTROY, None);
}
