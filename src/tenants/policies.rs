//! What a tenant's tokens may do: the texts of its policies.
//!
//! The names of tenants have letters and digits alone, and everything else from outside is quoted, so
//! that a text says what is meant by it and nothing more.
//!
//! Sources: <https://developer.hashicorp.com/nomad/docs/other-specifications/acl-policy>,
//! <https://developer.hashicorp.com/consul/docs/reference/acl/rule>,
//! <https://developer.hashicorp.com/vault/docs/concepts/policies>.

use super::{Mark, Names};

/// Where in Consul a tenant's folder and services are, as seen from the provider's records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home<'a> {
    /// In the same namespace, or there are none.
    Here,
    /// In a namespace of the tenant's own (Enterprise), and the records are in `default`.
    In(&'a str),
    /// In a namespace of the tenant's own, and the records in one from which no policy reaches into another:
    /// only from `default` one does (<https://developer.hashicorp.com/consul/docs/reference/acl/rule>,
    /// namespace rules).
    OutOfReach,
}

/// What a pipeline does with the jobs of its applications: look at them, plan, register, scale and
/// purge them, promote and fail their deployments, restart their tasks, read their last lines.
const CHANGES: &[&str] = &[
    "list-jobs",
    "parse-job",
    "read-job",
    "submit-job",
    "dispatch-job",
    "scale-job",
    "read-job-scaling",
    "list-scaling-policies",
    "read-scaling-policy",
    "read-logs",
    "read-fs",
    "alloc-lifecycle",
    "csi-list-volume",
    "csi-read-volume",
    "csi-mount-volume",
    "host-volume-read",
];

/// The same without changing anything.
const LOOKS: &[&str] = &[
    "list-jobs",
    "parse-job",
    "read-job",
    "read-job-scaling",
    "list-scaling-policies",
    "read-scaling-policy",
    "read-logs",
    "read-fs",
    "csi-list-volume",
    "csi-read-volume",
    "host-volume-read",
];

/// The Nomad ACL policy of a tenant's pipeline: everything in the tenant's namespaces and nothing
/// elsewhere. A host volume is a tenant's where its name begins with the tenant's and a hyphen.
pub fn nomad(names: &Names, active: bool) -> String {
    let capabilities = if active { CHANGES } else { LOOKS };
    let capabilities: Vec<_> = capabilities.iter().map(|it| quoted(it)).collect();
    let capabilities = capabilities.join(", ");
    let mut text = String::new();
    for namespace in [names.namespace(), &names.namespaces()] {
        text.push_str(&format!(
            "namespace {} {{\n  capabilities = [{capabilities}]\n}}\n",
            quoted(namespace)
        ));
    }
    if active {
        text.push_str(&rule("host_volume", &names.namespaces(), "write"));
        text.push_str("plugin {\n  policy = \"read\"\n}\n");
    }
    text
}

/// The Consul ACL policy of a tenant's pipeline: the records of the tenant's applications, and what
/// they refer to, to read; the tenant's own folder and services.
///
/// Sessions are a node's, and the node is the agent's, which nobody knows before: so the sessions of
/// all are.
///
/// The policy is where the records are, and `home` says where the tenant's folder and services are.
pub fn consul(names: &Names, active: bool, home: Home<'_>) -> String {
    let policy = if active { "write" } else { "read" };
    let (prefix, tenant) = (names.prefix(), names.tenant());
    let mut rules = vec![
        rule(
            "key_prefix",
            &format!("{prefix}/applications/{tenant}/"),
            policy,
        ),
        rule(
            "key_prefix",
            &format!("{prefix}/revisions/{tenant}/"),
            policy,
        ),
        rule("key", &format!("{prefix}/usage/{tenant}"), policy),
        rule("key", &format!("{prefix}/tenants/{tenant}"), "read"),
        rule("key", &format!("{prefix}/domains"), "read"),
        rule("key_prefix", &format!("{prefix}/scopes/"), "read"),
    ];
    let own_rules = [
        rule("key_prefix", &names.key_prefix(), policy),
        rule("service_prefix", &names.service_prefix(), policy),
        rule("node_prefix", "", "read"),
    ];
    match home {
        Home::Here => rules.extend(own_rules),
        Home::In(own) => rules.push(format!(
            "namespace {} {{\n{}}}\n",
            quoted(own),
            own_rules.concat()
        )),
        Home::OutOfReach => {}
    }
    if active {
        rules.push(rule("session_prefix", "", "write"));
    }
    rules.concat()
}

/// The Consul ACL policy of a tenant's tasks: they read the tenant's own folder and find the tenant's
/// services.
pub fn consul_tasks(names: &Names) -> String {
    [
        rule("key_prefix", &names.key_prefix(), "read"),
        rule("service_prefix", &names.service_prefix(), "read"),
        rule("node_prefix", "", "read"),
    ]
    .concat()
}

/// The Vault policy of a tenant's tasks: they read what is in the tenant's folder of the key-value
/// mount. The first line says who made it, as Vault's policies have no description.
pub fn vault(names: &Names, mount: &str, version: u8) -> String {
    let mut text = format!("# {}\n", Mark::of(names));
    for path in names.secret_paths(mount, version) {
        let list = version == 1 || !path.starts_with(&format!("{mount}/data/"));
        let capabilities = if list {
            r#"["read", "list"]"#
        } else {
            r#"["read"]"#
        };
        text.push_str(&format!(
            "path {} {{\n  capabilities = {capabilities}\n}}\n",
            quoted(&format!("{path}*"))
        ));
    }
    text
}

/// Who made a Vault policy, by its first line.
pub fn vault_mark(text: &str) -> Option<Mark> {
    Mark::read(text.lines().next()?.strip_prefix("# ")?)
}

/// One rule of Nomad's or Consul's.
fn rule(kind: &str, about: &str, policy: &str) -> String {
    format!(
        "{kind} {} {{\n  policy = {}\n}}\n",
        quoted(about),
        quoted(policy)
    )
}

/// A text as a string of HCL, which has the escapes of JSON.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acme() -> Names {
        Names::of("oam", "acme")
    }

    #[test]
    fn a_pipeline_changes_what_is_in_its_namespaces() {
        let text = nomad(&acme(), true);
        assert!(text.starts_with("namespace \"acme\" {\n"), "{text}");
        assert!(text.contains("namespace \"acme-*\" {\n"), "{text}");
        assert_eq!(text.matches("submit-job").count(), 2, "{text}");
        for never in [
            "alloc-exec",
            "alloc-node-exec",
            "sentinel-override",
            "csi-register-plugin",
            "node {",
            "operator",
        ] {
            assert!(!text.contains(never), "{never}: {text}");
        }
    }

    #[test]
    fn a_pipeline_of_a_tenant_that_is_not_active_changes_nothing() {
        let text = nomad(&acme(), false);
        for change in [
            "submit",
            "dispatch",
            "scale-job",
            "lifecycle",
            "mount",
            "write",
        ] {
            assert!(!text.contains(change), "{change}: {text}");
        }
        assert!(text.contains("read-job"), "{text}");
        let text = consul(&acme(), false, Home::Here);
        assert!(!text.contains("write"), "{text}");
        assert!(!text.contains("session"), "{text}");
    }

    #[test]
    fn a_pipeline_writes_its_own_records_alone() {
        let text = consul(&acme(), true, Home::Here);
        let lines: Vec<_> = text.lines().collect();
        let written: Vec<_> = lines
            .windows(2)
            .filter(|pair| pair[1].contains("write"))
            .map(|pair| pair[0])
            .collect();
        assert_eq!(
            written,
            [
                r#"key_prefix "oam/applications/acme/" {"#,
                r#"key_prefix "oam/revisions/acme/" {"#,
                r#"key "oam/usage/acme" {"#,
                r#"key_prefix "acme/" {"#,
                r#"service_prefix "acme-" {"#,
                r#"session_prefix "" {"#,
            ]
        );
        for read in ["oam/tenants/acme", "oam/domains", "oam/scopes/"] {
            assert!(text.contains(&format!("\"{read}\" {{\n  policy = \"read\"")));
        }
        assert!(!consul_tasks(&acme()).contains("oam/"));
        assert!(!consul_tasks(&acme()).contains("write"));
    }

    #[test]
    fn what_is_in_a_namespace_of_its_own_is_reached_there() {
        let text = consul(&acme(), true, Home::In("acme"));
        let (records, own) = text
            .split_once("namespace \"acme\" {\n")
            .unwrap_or_default();
        assert!(records.contains("oam/applications/acme/"), "{text}");
        assert!(!records.contains("key_prefix \"acme/\""), "{text}");
        assert!(own.starts_with("key_prefix \"acme/\" {\n  policy = \"write\""));
        assert!(own.contains("service_prefix \"acme-\""), "{text}");
        let text = consul(&acme(), true, Home::OutOfReach);
        assert!(
            !text.contains("acme-") && text.contains("oam/usage/acme"),
            "{text}"
        );
    }

    #[test]
    fn tasks_read_the_tenants_secrets_alone() {
        assert_eq!(
            vault(&acme(), "secret", 2),
            "# Of the tenant acme, made by terraform-provider-oam with the Consul key prefix oam\n\
             path \"secret/data/acme/*\" {\n  capabilities = [\"read\"]\n}\n\
             path \"secret/metadata/acme/*\" {\n  capabilities = [\"read\", \"list\"]\n}\n"
        );
        let one = vault(&acme(), "kv", 1);
        assert!(one.ends_with("path \"kv/acme/*\" {\n  capabilities = [\"read\", \"list\"]\n}\n"));
        assert_eq!(vault_mark(&one), Some(Mark::of(&acme())));
        assert_eq!(vault_mark("path \"x\" {}"), None);
    }

    /// A text has one block more for each block that it is to have, whatever is in the mount's name.
    #[test]
    fn nothing_gets_out_of_its_quotes() {
        for mount in [
            "se\"cret",
            "a\" { policy = \"write\" }\npath \"",
            "a\\",
            "a\n\"}",
        ] {
            let text = vault(&acme(), mount, 2);
            let starts = |line: &&str| line.starts_with("path ");
            assert_eq!(text.lines().filter(starts).count(), 2, "{text}");
            for line in text.lines().filter(starts) {
                let inside = line
                    .strip_prefix("path ")
                    .and_then(|it| it.strip_suffix(" {"));
                let path: Option<String> = inside.and_then(|it| serde_json::from_str(it).ok());
                let path = path.unwrap_or_default();
                assert!(
                    path.starts_with(mount) && path.ends_with("/acme/*"),
                    "{line}"
                );
            }
        }
    }
}
