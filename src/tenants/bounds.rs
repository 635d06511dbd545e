//! What an application may reach: what is a managed tenant's is for that tenant's applications alone, and
//! those reach nothing else. Pure.
//!
//! | | a managed tenant's | where it is written |
//! |---|---|---|
//! | hosts | its domain, and what is below | `ingress` |
//! | secrets | `<mount>/data/<tenant>/…`, or `<mount>/<tenant>/…` in version 1 of the engine | `vault_secret`, `env_from`, `image_pull_secret` |
//! | keys in Consul | `<tenant>/…` | `env_from` |
//! | namespaces | `<tenant>`, `<tenant>-…` | `namespace_scope`, the provider block |
//! | services | `<tenant>-…` | names, `service_discovery`, `upstream` |
//! | host volumes | `<tenant>-…` | `volume` |
//!
//! An application without a tenant, or of one that nobody manages, is held to the other side of the same
//! lines: otherwise leaving out `tenant` would be the way around them all. What a field can hold at all is
//! the forms' to say ([`crate::oam::form`]), so no text here has `..`, a quote or a brace in it.

use std::collections::BTreeSet;

use super::{Domains, is_within};
use crate::oam::{self, Node, Path, Problem};

/// What there is to know beside the application.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// Whether the application's tenant has a record.
    pub is_managed: bool,
    /// The tenant's domain, where it has one and it is known.
    pub domain: Option<&'a str>,
    /// The domains of all tenants; needed where the application has a host.
    pub domains: &'a Domains,
    /// The tenants that have a record; needed where the application's own has none.
    pub tenants: &'a BTreeSet<String>,
    /// The first part of every key of the provider's own, such as `oam`.
    pub key_prefix: &'a str,
    /// Where the secrets of tenants are, such as `secret`.
    pub secrets_mount: &'a str,
    /// The namespace of an application without a tenant.
    pub namespace: &'a str,
}

/// The tenant that stands for none.
const NONE: &str = "default";

/// What follows the mount in the paths of version 2 of the KV secrets engine, and so names no tenant
/// (<https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2>).
pub const KV_WORDS: [&str; 7] = [
    "config", "data", "delete", "destroy", "metadata", "subkeys", "undelete",
];

/// Whose an application is.
enum Owner<'a> {
    /// A managed tenant's.
    Tenant(&'a str),
    /// Nobody's, or a tenant's that nobody manages.
    Other,
}

/// Where an application reaches what is not its own, as far as its values are known. `written` is the
/// application as it is configured, and `resolved` with its scopes in it.
pub fn problems(written: &Node, resolved: &Node, facts: &Facts<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let tenant = match resolved.get("tenant") {
        Node::Null => None,
        Node::String(tenant) if tenant == NONE => None,
        Node::String(tenant) => Some(tenant.as_str()),
        // Then nobody can say what is its own.
        _ => return problems,
    };
    let owner = match tenant {
        Some(tenant) if facts.is_managed => Owner::Tenant(tenant),
        Some(tenant) => {
            problems.extend(namesake(tenant, facts));
            Owner::Other
        }
        None => Owner::Other,
    };
    let rules = Rules { owner, facts };
    if tenant.is_none() {
        rules.namespace(written, resolved, &mut problems);
    }
    let components = resolved.get("component").as_map();
    for (name, component) in components.into_iter().flatten() {
        let path = Path::component(name);
        rules.hosts(component, &path, &mut problems);
        rules.secrets(component, &path, &mut problems);
        rules.keys(component, &path, &mut problems);
        rules.volumes(component, &path, &mut problems);
        if tenant.is_none() {
            rules.services(resolved, component, &path, &mut problems);
        }
    }
    problems
}

/// Whether an application asks for a host.
pub fn has_hosts(application: &Node) -> bool {
    let components = application.get("component").as_map();
    let mut components = components.into_iter().flatten();
    components.any(|(_, it)| it.get("ingress").get("host").as_str().is_some())
}

/// Consul's catalog and Vault's policies make no difference between capitals and small letters.
fn namesake(tenant: &str, facts: &Facts<'_>) -> Option<Problem> {
    let other = facts
        .tenants
        .iter()
        .find(|managed| managed.eq_ignore_ascii_case(tenant))?;
    Some(Problem::error(
        Path::default().field("tenant"),
        format!("The tenant {tenant:?} is taken for {other:?}"),
        format!(
            "Consul makes no difference between the two in the names of services. Write {other:?}, or name \
             another tenant."
        ),
    ))
}

/// What stands before the first hyphen of a name: the tenant whose it would be, as no tenant has one in
/// its name.
fn first(name: &str) -> &str {
    name.split('-').next().unwrap_or(name)
}

struct Rules<'a> {
    owner: Owner<'a>,
    facts: &'a Facts<'a>,
}

impl Rules<'_> {
    /// The managed tenant of a name.
    fn managed(&self, name: &str) -> Option<&str> {
        let all = &self.facts.tenants;
        let found = all.iter().find(|it| it.eq_ignore_ascii_case(name));
        found.map(String::as_str)
    }

    /// For an application without a tenant: with one, its namespace begins with its name.
    fn namespace(&self, written: &Node, resolved: &Node, problems: &mut Vec<Problem>) {
        let scopes = resolved.get("namespace_scope").as_map();
        let mut scoped = false;
        for (name, scope) in scopes.into_iter().flatten() {
            scoped = true;
            let Some(namespace) = scope.get("namespace").as_str() else {
                continue;
            };
            let inside = !written.get("namespace_scope").get(name).is_null();
            let path = match inside {
                true => Path::default()
                    .field("namespace_scope")
                    .key(name)
                    .field("namespace"),
                false => Path::default().field("scopes"),
            };
            if let Some(tenant) = self.managed(first(namespace)) {
                problems.push(Problem::error(
                    path,
                    format!("The namespace {namespace:?} is the tenant {tenant:?}'s"),
                    format!(
                        "Only applications of that tenant run there. Set `tenant` to {tenant:?}, or use \
                         another namespace."
                    ),
                ));
            }
        }
        let open = resolved.get("namespace_scope").is_unknown() || !oam::is_resolved(resolved);
        if scoped || open {
            return;
        }
        let namespace = self.facts.namespace;
        if let Some(tenant) = self.managed(first(namespace)) {
            problems.push(Problem::error(
                Path::default().field("tenant"),
                format!("The provider's namespace {namespace:?} is the tenant {tenant:?}'s"),
                format!(
                    "An application without a tenant runs in the `namespace` of the `nomad` block. Set \
                     `tenant` to {tenant:?}, or another namespace there."
                ),
            ));
        }
    }

    fn hosts(&self, component: &Node, path: &Path, problems: &mut Vec<Problem>) {
        let Some(host) = component.get("ingress").get("host").as_str() else {
            return;
        };
        let path = path.field("ingress").field("host");
        let own = match self.owner {
            Owner::Tenant(tenant) => Some(tenant),
            Owner::Other => None,
        };
        // DNS takes a dot at the end for nothing.
        let plain = host.trim_end_matches('.');
        match (self.facts.domains.owner_of(plain), own, self.facts.domain) {
            (Some(tenant), own, _) if own != Some(tenant) => problems.push(Problem::error(
                path,
                format!("The host {host:?} is another tenant's"),
                format!(
                    "It is in the domain of the tenant {tenant:?}, which only that tenant's applications \
                     may use. Choose another host."
                ),
            )),
            (_, Some(_), Some(domain)) if !is_within(plain, domain) => problems.push(Problem::error(
                path,
                format!("The host {host:?} is not in the tenant's domain"),
                format!("Use {domain:?}, or a host below it, such as \"shop.{domain}\"."),
            )),
            _ => {}
        }
    }

    fn secrets(&self, component: &Node, path: &Path, problems: &mut Vec<Problem>) {
        let labels = component.get("vault_secret").as_map().into_iter().flatten();
        for (label, _) in labels {
            let path = path.field("vault_secret").key(label).field("path");
            problems.extend(self.secret(label, path));
        }
        for (name, from) in component.get("env_from").as_map().into_iter().flatten() {
            if let Some(secret) = from.get("vault_secret").get("path").as_str() {
                let path = path.field("env_from").key(name);
                problems.extend(self.secret(secret, path.field("vault_secret").field("path")));
            }
        }
        if let Some(secret) = component.get("image_pull_secret").as_str() {
            problems.extend(self.secret(secret, path.field("image_pull_secret")));
        }
    }

    fn secret(&self, secret: &str, path: Path) -> Option<Problem> {
        let mount = self.facts.secrets_mount.trim_matches('/');
        let rest = below(secret, mount);
        let mut parts = rest.unwrap_or_default().split('/');
        let (head, next) = (parts.next().unwrap_or_default(), parts.next());
        let deeper = parts.next().is_some();
        match self.owner {
            Owner::Tenant(tenant) => {
                // A tenant of such a name would have the data of all.
                let plain = head == tenant && next.is_some() && !KV_WORDS.contains(&tenant);
                let version_2 = head == "data" && next == Some(tenant) && deeper;
                let own = (plain || version_2) && is_plain(secret);
                (!own).then(|| {
                    Problem::error(
                        path,
                        format!("The secret {secret:?} is not the tenant's"),
                        format!(
                            "An application of the tenant {tenant:?} has the secrets below \
                             `{mount}/data/{tenant}/` (`{mount}/{tenant}/` where the engine is of version 1). \
                             Use one of them."
                        ),
                    )
                })
            }
            Owner::Other => {
                let named = match KV_WORDS.contains(&head) {
                    true => next.filter(|_| deeper),
                    false => next.map(|_| head),
                };
                let named = named.and_then(|name| self.managed(name));
                named.map(|tenant| {
                    Problem::error(
                        path,
                        format!("The secret {secret:?} is the tenant {tenant:?}'s"),
                        "Only applications of that tenant may use it. Choose another secret.",
                    )
                })
            }
        }
    }

    fn keys(&self, component: &Node, path: &Path, problems: &mut Vec<Problem>) {
        for (name, from) in component.get("env_from").as_map().into_iter().flatten() {
            let Some(key) = from.get("consul_key").get("key").as_str() else {
                continue;
            };
            let path = path.field("env_from").key(name);
            problems.extend(self.key(key, path.field("consul_key").field("key")));
        }
    }

    fn key(&self, key: &str, path: Path) -> Option<Problem> {
        let prefix = self.facts.key_prefix;
        if key == prefix || below(key, prefix).is_some() {
            return Some(Problem::error(
                path,
                format!("The key {key:?} is the provider's"),
                format!(
                    "What is below `{prefix}/` are the records of all applications. Choose another key."
                ),
            ));
        }
        let folder = key.split_once('/').map(|(folder, _)| folder);
        match self.owner {
            Owner::Tenant(tenant) => {
                let own = below(key, tenant).is_some_and(|rest| !rest.is_empty());
                (!own || !is_plain(key)).then(|| {
                    Problem::error(
                        path,
                        format!("The key {key:?} is not the tenant's"),
                        format!(
                            "An application of the tenant {tenant:?} has the keys below `{tenant}/`. Use \
                             one of them."
                        ),
                    )
                })
            }
            // Keys do tell capitals from small letters, but whoever reads them need not.
            Owner::Other => folder.and_then(|name| self.managed(name)).map(|tenant| {
                Problem::error(
                    path,
                    format!("The key {key:?} is the tenant {tenant:?}'s"),
                    "Only applications of that tenant may use it. Choose another key.",
                )
            }),
        }
    }

    /// Nomad keeps CSI volumes apart by namespace, but not the host volumes of its nodes' configuration.
    fn volumes(&self, component: &Node, path: &Path, problems: &mut Vec<Problem>) {
        let Owner::Tenant(tenant) = self.owner else {
            return;
        };
        for (label, volume) in component.get("volume").as_map().into_iter().flatten() {
            let Some(source) = volume.get("source").as_str() else {
                continue;
            };
            let host = !matches!(volume.get("type").as_str(), Some("csi"));
            let own = source
                .strip_prefix(tenant)
                .is_some_and(|rest| rest.starts_with('-'));
            if host && !own {
                problems.push(Problem::error(
                    path.field("volume").key(label).field("source"),
                    format!("The host volume {source:?} is not the tenant's"),
                    format!(
                        "Nomad gives the host volumes of its nodes to every namespace, so those of the \
                         tenant {tenant:?} are the ones whose names begin with `{tenant}-`. Use one of \
                         them, or a CSI volume."
                    ),
                ));
            }
        }
        for block in ["container", "sidecar"] {
            for (name, inner) in component.get(block).as_map().into_iter().flatten() {
                let Node::List(mounts) = inner.get("volume") else {
                    continue;
                };
                for (index, mount) in mounts.iter().enumerate() {
                    let source = mount.get("source").as_str().unwrap_or_default();
                    if source.starts_with('/') {
                        let path = path.field(block).key(name).field("volume").index(index);
                        problems.push(Problem::error(
                            path.field("source"),
                            format!("The node's folder {source:?} is not the tenant's"),
                            format!(
                                "What is on a node is everybody's, so an application of the tenant \
                                 {tenant:?} mounts no folder of it. Use a `volume` of the component."
                            ),
                        ));
                    }
                }
            }
        }
    }

    /// For an application without a tenant: with one, its services begin with its name.
    fn services(
        &self,
        application: &Node,
        component: &Node,
        path: &Path,
        problems: &mut Vec<Problem>,
    ) {
        let mut refuse = |path: Path, name: &str, tenant: &str| {
            problems.push(Problem::error(
                path,
                format!("The service {name:?} is the tenant {tenant:?}'s"),
                format!(
                    "In Consul the services that begin with `{tenant}-` are those of that tenant's \
                     applications. Choose another name, or set `tenant`."
                ),
            ));
        };
        let own = application.get("name").as_str();
        if let Some(name) = own
            && let Some(tenant) = self.managed(first(name))
            && is_served(application, component)
        {
            refuse(Path::default().field("name"), &format!("{name}-…"), tenant);
        }
        let name = component.get("service_discovery").get("service_name");
        if let Some(name) = name.as_str()
            && let Some(tenant) = self.managed(first(name))
        {
            let path = path.field("service_discovery").field("service_name");
            refuse(path, name, tenant);
        }
        for (label, upstream) in component.get("upstream").as_map().into_iter().flatten() {
            let Some(other) = upstream.get("application").as_str() else {
                continue;
            };
            if let Some(tenant) = self.managed(first(other)) {
                let path = path.field("upstream").key(label).field("application");
                refuse(path, &format!("{other}-{label}"), tenant);
            }
        }
    }
}

/// What follows a folder in a path.
fn below<'p>(path: &'p str, folder: &str) -> Option<&'p str> {
    path.strip_prefix(folder)?.strip_prefix('/')
}

/// Whether a path is one for whoever reads it: no patterns, no other datacenter, no steps back. The forms
/// have most of it already.
fn is_plain(path: &str) -> bool {
    let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    path.split('/')
        .all(|part| !part.is_empty() && !part.starts_with('.') && part.chars().all(inside))
}

/// Whether a component has a service in Consul.
fn is_served(application: &Node, component: &Node) -> bool {
    let blocks = ["ingress", "health_check", "service_discovery"];
    let scopes = application.get("network_scope").as_map();
    let meshed = scopes
        .into_iter()
        .flatten()
        .any(|(_, scope)| *scope.get("service_mesh") == Node::Bool(true));
    meshed || blocks.iter().any(|block| !component.get(block).is_null())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::{Value, json};

    use super::*;

    /// A component with further fields.
    fn application(more: &Value, component: &Value) -> Value {
        let mut web = json!({
            "type": "webservice", "image": "nginx", "port": {"http": {"port": 80}},
        });
        for (field, value) in component.as_object().unwrap() {
            web[field] = value.clone();
        }
        let mut application = json!({"name": "shop", "component": {"web": web}});
        for (field, value) in more.as_object().unwrap() {
            application[field] = value.clone();
        }
        application
    }

    /// Where the problems are, of an application of a managed tenant (acme or beta), of one that nobody
    /// manages, or of none.
    fn found(application: &Value, namespace: &str) -> Vec<String> {
        let node = Node::from(application);
        let tenant = node.get("tenant").as_str().unwrap_or_default();
        let mut domains = Domains::default();
        domains.claim("acme", "acme.example.com").unwrap();
        let tenants = ["acme", "beta"].map(str::to_owned).into();
        let facts = Facts {
            is_managed: matches!(tenant, "acme" | "beta"),
            domain: (tenant == "acme").then_some("acme.example.com"),
            domains: &domains,
            tenants: &tenants,
            key_prefix: "teams/oam",
            secrets_mount: "secret",
            namespace,
        };
        let problems = problems(&node, &node, &facts);
        let places = problems.iter().map(|it| it.path.to_string());
        places
            .map(|it| it.replace("component[\"web\"].", ""))
            .collect()
    }

    fn of(tenant: &str, component: &Value) -> Vec<String> {
        let more = match tenant {
            "" => json!({}),
            tenant => json!({"tenant": tenant}),
        };
        found(&application(&more, component), "default")
    }

    #[test]
    fn hosts() {
        for (tenant, host, good) in [
            ("acme", "acme.example.com", true),
            ("acme", "Shop.ACME.example.com", true),
            ("acme", "a.b.acme.example.com", true),
            ("acme", "beta.example.com", false),
            ("acme", "notacme.example.com", false),
            ("acme", "acme.example.com.evil.org", false),
            ("acme", "example.com", false),
            ("acme", "xn--acme-.example.com", false),
            ("beta", "acme.example.com", false),
            ("beta", "SHOP.acme.example.com.", false),
            ("beta", "beta.example.com", true),
            ("nobody", "shop.acme.example.com", false),
            ("nobody", "example.com", true),
            ("", "shop.acme.example.com", false),
            ("", "acme.example.com", false),
            ("", "shop.example.com", true),
            ("default", "acme.example.com", false),
        ] {
            let places = of(tenant, &json!({"ingress": {"host": host}}));
            let wanted: &[&str] = if good { &[] } else { &["ingress.host"] };
            assert_eq!(places, wanted, "{tenant} {host}");
        }
    }

    #[test]
    fn secrets() {
        for (tenant, path, good) in [
            ("acme", "secret/data/acme/db", true),
            ("acme", "secret/data/acme/a/b", true),
            ("acme", "secret/acme/db", true),
            ("acme", "secret/data/acme", false),
            ("acme", "secret/acme", false),
            ("acme", "secret/data/beta/db", false),
            ("acme", "secret/data/db", false),
            ("acme", "secret/metadata/acme/db", false),
            ("acme", "kv/data/acme/db", false),
            ("acme", "secret/data/ACME/db", false),
            ("acme", "secret/data/acme/+/db", false),
            ("acme", "secret/data/acme/a@b", false),
            ("", "secret/data/db", true),
            ("", "secret/data/acme", true),
            ("", "secret/data/acme/db", false),
            ("", "secret/acme/db", false),
            ("", "secret/subkeys/acme/db", false),
            ("", "secret/data/Acme/db", false),
            ("", "kv/data/acme/db", true),
            ("nobody", "secret/data/beta/db", false),
            ("nobody", "secret/data/nobody/db", true),
        ] {
            let places = [
                (
                    json!({"vault_secret": {path: {"env": {"a": "A"}}}}),
                    format!("vault_secret[{path:?}].path"),
                ),
                (
                    json!({"env_from": {"A": {"vault_secret": {"path": path, "field": "a"}}}}),
                    "env_from[\"A\"].vault_secret.path".to_owned(),
                ),
                (
                    json!({"image_pull_secret": path}),
                    "image_pull_secret".to_owned(),
                ),
            ];
            for (component, place) in places {
                let wanted: &[String] = if good { &[] } else { &[place] };
                assert_eq!(of(tenant, &component), wanted, "{tenant} {path}");
            }
        }
    }

    /// Of version 2 of the engine all secrets are below `data`.
    #[test]
    fn a_tenant_that_is_called_like_a_part_of_the_engine() {
        let tenants = BTreeSet::new();
        let domains = Domains::default();
        for tenant in KV_WORDS {
            let facts = Facts {
                is_managed: true,
                domain: None,
                domains: &domains,
                tenants: &tenants,
                key_prefix: "oam",
                secrets_mount: "secret",
                namespace: "default",
            };
            let good = |path: &str| {
                let component = json!({"image_pull_secret": path});
                let json = application(&json!({"tenant": tenant}), &component);
                let node = Node::from(&json);
                problems(&node, &node, &facts).is_empty()
            };
            assert!(!good(&format!("secret/{tenant}/acme/db")), "{tenant}");
            assert!(good(&format!("secret/data/{tenant}/db")), "{tenant}");
        }
    }

    #[test]
    fn keys() {
        for (tenant, key, good) in [
            ("acme", "acme/motd", true),
            ("acme", "acme/a/b", true),
            ("acme", "acme", false),
            ("acme", "beta/motd", false),
            ("acme", "acmebeta/motd", false),
            ("acme", "ACME/motd", false),
            ("acme", "acme/a@dc2", false),
            ("acme", "teams/oam/applications/acme/shop", false),
            ("", "motd", true),
            ("", "acme", true),
            ("", "acme/motd", false),
            ("", "ACME/motd", false),
            ("", "teams/other/x", true),
            ("", "teams/oam", false),
            ("", "teams/oam/tenants/acme", false),
            ("nobody", "beta/motd", false),
            ("nobody", "nobody/motd", true),
            ("nobody", "teams/oam/domains", false),
        ] {
            let places = of(
                tenant,
                &json!({"env_from": {"A": {"consul_key": {"key": key}}}}),
            );
            let wanted: &[&str] = match good {
                true => &[],
                false => &["env_from[\"A\"].consul_key.key"],
            };
            assert_eq!(places, wanted, "{tenant} {key}");
        }
    }

    #[test]
    fn namespaces() {
        let scope = |namespace: &str| json!({"namespace_scope": {"n": {"namespace": namespace}}});
        for (more, provider, place) in [
            (json!({}), "default", None),
            (json!({}), "acme", Some("tenant")),
            (json!({}), "acme-2", Some("tenant")),
            (json!({}), "acme2", None),
            // What a scope says goes first.
            (scope("other"), "acme", None),
            (
                scope("acme"),
                "default",
                Some("namespace_scope[\"n\"].namespace"),
            ),
            (
                scope("beta-x"),
                "default",
                Some("namespace_scope[\"n\"].namespace"),
            ),
            (scope("betax"), "default", None),
        ] {
            let places = found(&application(&more, &json!({})), provider);
            let wanted: Vec<_> = place.into_iter().collect();
            assert_eq!(places, wanted, "{more} {provider}");
        }
        // By reference there is no such block.
        let (mut written, resolved) = (
            application(&json!({}), &json!({})),
            application(&scope("acme"), &json!({})),
        );
        written["scopes"] = json!(["namespace/n"]);
        let (tenants, domains) = (["acme".to_owned()].into(), Domains::default());
        let facts = Facts {
            is_managed: false,
            domain: None,
            domains: &domains,
            tenants: &tenants,
            key_prefix: "oam",
            secrets_mount: "secret",
            namespace: "default",
        };
        let found = problems(&Node::from(&written), &Node::from(&resolved), &facts);
        let places: Vec<_> = found.iter().map(|it| it.path.to_string()).collect();
        assert_eq!(places, ["scopes"]);
    }

    #[test]
    fn services() {
        let named = |name: &str| json!({"service_discovery": {"service_name": name}});
        let up = |application: &str| json!({"upstream": {"api": {"port": 9000, "application": application}}});
        for (more, component, place) in [
            (json!({"name": "acme"}), json!({}), None),
            (
                json!({"name": "acme"}),
                json!({"health_check": {}}),
                Some("name"),
            ),
            (
                json!({"name": "acme-shop"}),
                json!({"ingress": {"host": "a.b"}}),
                Some("name"),
            ),
            (
                json!({"name": "acmeshop"}),
                json!({"health_check": {}}),
                None,
            ),
            (
                json!({}),
                named("acme-web"),
                Some("service_discovery.service_name"),
            ),
            (json!({}), named("web"), None),
            (
                json!({}),
                up("beta-back"),
                Some("upstream[\"api\"].application"),
            ),
            (json!({}), up("back"), None),
            // A tenant's own begin with its name, whatever they are called.
            (
                json!({"tenant": "acme", "name": "beta"}),
                named("beta-web"),
                None,
            ),
            (json!({"tenant": "acme"}), up("beta"), None),
        ] {
            let places = found(&application(&more, &component), "default");
            let wanted: Vec<_> = place.into_iter().collect();
            assert_eq!(places, wanted, "{more} {component}");
        }
    }

    #[test]
    fn volumes() {
        let host = |source: &str| json!({"volume": {"d": {"source": source, "mount_path": "/d"}}});
        let csi = json!({"volume": {"d": {"type": "csi", "source": "data", "mount_path": "/d"}}});
        let folder = |block: &str| {
            json!({block: {"c": {
                "image": "a", "volume": [{"source": "/var/run", "destination": "/d"}],
            }}})
        };
        for (tenant, component, place) in [
            ("acme", host("acme-data"), None),
            ("acme", host("data"), Some("volume[\"d\"].source")),
            ("acme", host("beta-data"), Some("volume[\"d\"].source")),
            ("acme", csi, None),
            (
                "acme",
                folder("sidecar"),
                Some("sidecar[\"c\"].volume[0].source"),
            ),
            (
                "acme",
                folder("container"),
                Some("container[\"c\"].volume[0].source"),
            ),
            ("", host("data"), None),
            ("nobody", folder("sidecar"), None),
        ] {
            let places = of(tenant, &component);
            let wanted: Vec<_> = place.into_iter().collect();
            assert_eq!(places, wanted, "{tenant} {component}");
        }
    }

    #[test]
    fn a_tenant_in_other_letters_is_no_tenant() {
        assert_eq!(of("Acme", &json!({})), ["tenant"]);
        assert_eq!(of("acme2", &json!({})), Vec::<String>::new());
    }

    #[test]
    fn what_is_not_known_is_no_trespass() {
        let node = Node::from(&application(
            &json!({}),
            &json!({"ingress": {"host": "acme.example.com"}}),
        ));
        let Node::Map(mut entries) = node else {
            unreachable!()
        };
        entries.insert("tenant".to_owned(), Node::Unknown);
        let node = Node::Map(entries);
        let (tenants, domains) = (BTreeSet::new(), Domains::default());
        let facts = Facts {
            is_managed: false,
            domain: None,
            domains: &domains,
            tenants: &tenants,
            key_prefix: "oam",
            secrets_mount: "secret",
            namespace: "default",
        };
        assert_eq!(problems(&node, &node, &facts), Vec::new());
    }
}
