//! `oam_tenant`: what is made for a tenant on each server, and that it stays so.
//!
//! With access control and a Vault most of the tests share one set of servers of their own; the rest run
//! on those that all tests share, which have neither. Each test has a key prefix of its own, and tenants
//! of its own, since what is made for them is called after both.

mod absent;
mod applications;
mod boundaries;
mod crashes;
mod drift;
mod enterprise;
mod life;
mod limits;
mod others;
mod pipelines;
mod tokens;

use serde_json::Value;

use super::yearly;
use crate::support::terraform::{Diagnostic, provider_block_with};
use crate::support::{Proxy, Role, Servers, Workspace, guarded, servers};

/// A provider block for these servers, with the Vault that they have and with tokens that may do no more
/// than the guide says of a provider for everything.
fn provider(servers: &Servers, prefix: &str) -> String {
    provider_block_with(servers, prefix, &servers.tokens(Role::Everything, prefix))
}

/// A workspace whose records are under this prefix.
fn workspace(servers: &Servers, prefix: &str, configuration: &str) -> Workspace {
    let work = Workspace::bare(configuration);
    work.write("provider.tf", &provider(servers, prefix));
    work
}

/// Has a workspace reach the Consul that all tests share through a proxy.
fn behind(work: &Workspace, prefix: &str) -> Proxy {
    let consul = Proxy::start(&servers().consul.address);
    let block = provider(servers(), prefix).replace(&servers().consul.address, &consul.address);
    work.write("provider.tf", &block);
    consul
}

/// The resource `oam_tenant.<name>`.
fn tenant(name: &str, fields: &str) -> String {
    format!(
        "resource \"oam_tenant\" \"{name}\" {{\n  name = \"{name}\"\n  display_name = \"The {name}\"\n  {fields}\n}}\n"
    )
}

/// An application of a tenant (as an expression), with one cron job.
fn application_of(name: &str, tenant: &str) -> String {
    let job = yearly("job", "image = \"example/report:1\"");
    super::application(name, &format!("  tenant = {tenant}\n{job}"))
}

/// The record of a tenant.
fn record(servers: &Servers, prefix: &str, name: &str) -> Option<Value> {
    let (text, _) = servers.consul.key(&format!("{prefix}/tenants/{name}"))?;
    Some(serde_json::from_str(&text).unwrap())
}

/// The domains of all tenants under a prefix.
fn domains(servers: &Servers, prefix: &str) -> Value {
    match servers.consul.key(&format!("{prefix}/domains")) {
        Some((text, _)) => serde_json::from_str(&text).unwrap(),
        None => serde_json::json!({}),
    }
}

fn namespace(servers: &Servers, name: &str) -> Option<Value> {
    servers.nomad.find(&format!("/v1/namespace/{name}"))
}

/// What is made for a tenant on servers with access control: where it is found, and its attribute.
fn made(prefix: &str, name: &str) -> [(&'static str, String); 8] {
    let slug = format!("{prefix}-{name}");
    let mark = format!(
        "Of the tenant {name}, made by terraform-provider-oam with the Consul key prefix {prefix}"
    );
    [
        ("namespace", format!("/v1/namespace/{name}")),
        ("nomad_policy", format!("/v1/acl/policy/{slug}")),
        (
            "consul_tasks_policy",
            format!("/v1/acl/policy/name/{slug}-tasks"),
        ),
        (
            "consul_role",
            format!("/v1/acl/role/name/nomad-{name}-tasks"),
        ),
        ("consul_policy", format!("/v1/acl/policy/name/{slug}")),
        // Binding rules have no names.
        ("consul_binding_rule", mark),
        ("vault_policy", format!("/v1/sys/policies/acl/{slug}")),
        ("vault_role", format!("/v1/auth/jwt-nomad/role/{slug}")),
    ]
}

/// One of these on its server.
fn find(servers: &Servers, kind: &str, path: &str) -> Option<Value> {
    match kind {
        "namespace" | "nomad_policy" => servers.nomad.find(path),
        "vault_policy" | "vault_role" => servers.vault().find(path),
        "consul_binding_rule" => {
            let all = servers.consul.get("/v1/acl/binding-rules");
            let mut all = all.as_array().unwrap().iter();
            all.find(|rule| rule["Description"] == path).cloned()
        }
        _ => servers.consul.find(path),
    }
}

/// The attributes of what is there of all that is made for a tenant.
fn there(servers: &Servers, prefix: &str, name: &str) -> Vec<&'static str> {
    let all = made(prefix, name).into_iter();
    all.filter(|(kind, path)| find(servers, kind, path).is_some())
        .map(|(kind, _)| kind)
        .collect()
}

/// The attributes of all that can be made for a tenant.
fn everything() -> Vec<&'static str> {
    made("", "").into_iter().map(|(kind, _)| kind).collect()
}

fn text(errors: &[Diagnostic]) -> String {
    let all = errors.iter();
    all.map(|error| format!("{}\n{}\n{}\n", error.summary, error.detail, error.code))
        .collect()
}
