//! What the clients of Nomad and Consul share.
