//! Consul's HTTP API.
