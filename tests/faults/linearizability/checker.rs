//! Whether a history of concurrent operations can have come about one after the other: a search in the manner
//! of Wing and Gong (Testing and verifying concurrent objects, 1993), with Lowe's memory of what was tried
//! (Testing for linearizability, 2017).

use std::collections::HashSet;
use std::hash::Hash;

/// What the operations are about.
pub trait Model {
    type State: Clone + Eq + Hash + std::fmt::Debug;
    type Op: std::fmt::Debug;

    /// What the state can be after the operation with its result; nothing where it cannot have come to
    /// that from this state.
    fn after(state: &Self::State, op: &Self::Op) -> Option<Self::State>;

    /// Whether the operation changes nothing, whatever the state is.
    fn only_looks(op: &Self::Op) -> bool;
}

/// One operation, with when it was begun and when its result was there, on a clock that all share. What has no
/// result may have been done at any time after it was begun, or never.
#[derive(Clone, Debug)]
pub struct Event<Op> {
    pub op: Op,
    pub began: u64,
    pub ended: Option<u64>,
}

/// How many states are looked at before the search is given up.
const LIMIT: usize = 1_000_000;

/// An order of the operations (their places in the history) that explains it.
///
/// # Errors
/// The longest order that was found, and what the state was after it.
pub fn explain<M: Model>(
    start: M::State,
    history: &[Event<M::Op>],
) -> Result<Vec<usize>, (Vec<usize>, M::State)> {
    let mut tried = HashSet::new();
    let mut best = (Vec::new(), start.clone());
    let mut path: Vec<usize> = Vec::new();
    // For each step: the state before it, what is done by then, and which operations are still to be tried.
    let none = vec![false; history.len()];
    let left = candidates::<M>(history, &none, &start);
    let mut steps = vec![(start, none, left)];
    while let Some((state, done, left)) = steps.last_mut() {
        if history
            .iter()
            .zip(done.iter())
            .all(|(it, done)| *done || it.ended.is_none())
        {
            return Ok(path);
        }
        let Some(next) = left.pop() else {
            steps.pop();
            path.pop();
            continue;
        };
        let Some(after) = M::after(state, &history[next].op) else {
            continue;
        };
        if after == *state && history[next].ended.is_none() {
            // It need not be done, and would make no difference.
            continue;
        }
        let mut done = done.clone();
        done[next] = true;
        if !tried.insert((done.clone(), after.clone())) {
            continue;
        }
        assert!(tried.len() < LIMIT, "the history is too long to be checked");
        path.push(next);
        if path.len() > best.0.len() {
            best = (path.clone(), after.clone());
        }
        let left = candidates::<M>(history, &done, &after);
        steps.push((after, done, left));
    }
    Err(best)
}

/// The operations that can come next: those that began before any that is left has ended. What has ended first
/// is tried first. Where one of them only looks, and sees this state, it can as well be the next: nobody else
/// notices.
fn candidates<M: Model>(history: &[Event<M::Op>], done: &[bool], state: &M::State) -> Vec<usize> {
    let left = || (0..history.len()).filter(|at| !done[*at]);
    let first = left().filter_map(|at| history[at].ended).min();
    let mut all: Vec<_> = left()
        .filter(|at| first.is_none_or(|first| history[*at].began < first))
        .collect();
    let looks = |at: &&usize| {
        let event = &history[**at];
        event.ended.is_some() && M::only_looks(&event.op) && M::after(state, &event.op).is_some()
    };
    if let Some(looks) = all.iter().find(looks) {
        return vec![*looks];
    }
    all.sort_by_key(|at| std::cmp::Reverse(history[*at].ended.unwrap_or(u64::MAX)));
    all
}
