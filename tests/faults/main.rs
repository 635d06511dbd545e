//! What holds when something breaks: the provider killed at every call, servers that misbehave, leaders
//! that end, and many runs at once. What is asserted is what is there afterwards, on the servers.
//!
//! The whole of the cut points takes long: `OAM_TEST_STRIDE=1` runs each of them, and without it each
//! run takes a selection.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

mod crashes;
mod cuts;
mod elections;
mod inventory;
mod linearizability;
mod misbehaviour;
mod races;
mod repeats;
mod scenarios;
mod survey;
mod trial;
