//! Terraform's plugin protocol, version 6, and the go-plugin handshake around it.
//!
//! This module knows nothing of OAM, Nomad or Consul: it serves anything that implements
//! [`Provider`](resource::Provider). It stands alone, from the wire up:
//!
//! | module | subject |
//! |---|---|
//! | [`wire`] | the generated messages and services |
//! | [`handshake`], [`tls`], [`listen`], [`plugin`], [`serve`](mod@serve) | how a host starts a plugin and speaks to it |
//! | [`value`], [`path`], [`schema`], [`identity`], [`diagnostic`] | Terraform's vocabulary |
//! | [`generate`] | a configuration from a state |
//! | [`resource`], [`data_source`], [`ephemeral`], [`function`], [`list_resource`], [`action`], [`service`] | what a provider implements, and the calls that reach it |
//! | [`log`] | logs in the form that Terraform understands |

pub mod action;
pub mod data_source;
pub mod diagnostic;
pub mod ephemeral;
pub mod function;
pub mod generate;
pub mod handshake;
pub mod identity;
pub mod list_resource;
pub mod listen;
pub mod log;
pub mod path;
pub mod plugin;
pub mod resource;
pub mod schema;
pub mod serve;
pub mod service;
pub mod tls;
pub mod value;
pub mod wire;
