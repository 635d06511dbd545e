//! Nomad's HTTP API.

pub mod job;
