//! The records in Consul KV.
