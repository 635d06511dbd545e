//! Nomad's job specification.
