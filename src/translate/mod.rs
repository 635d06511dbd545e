//! OAM to Nomad.
