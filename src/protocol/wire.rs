//! The messages and services that `build.rs` makes from `proto/`.

#![allow(missing_docs, clippy::all, clippy::pedantic)]

/// Terraform's plugin protocol, version 6.
pub mod tfplugin6 {
    tonic::include_proto!("tfplugin6");
}

/// The services that go-plugin expects beside any plugin's own.
pub mod plugin {
    tonic::include_proto!("plugin");
}
