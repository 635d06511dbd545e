//! What is called how, for one tenant.

/// The names of a tenant's own things, in every server.
///
/// The name of a tenant has letters and digits alone ([`crate::oam::form::TENANT`]), so that no name
/// here can be another tenant's: what follows it is a hyphen, a slash or the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    tenant: String,
    prefix: String,
}

impl Names {
    /// Those of a tenant whose records are under this Consul key prefix, such as `oam`.
    pub fn of(prefix: &str, tenant: &str) -> Self {
        Self {
            tenant: tenant.to_owned(),
            prefix: prefix.to_owned(),
        }
    }

    /// The tenant.
    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    /// The key prefix of all the provider's records, such as `oam`.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The Nomad ACL policy and the Consul ACL policy, such as `oam-acme`. The prefix is in it, since
    /// there may be several providers at the same servers; what is no letter or digit in it becomes a
    /// hyphen, as Nomad takes nothing else.
    pub fn slug(&self) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let prefix: String = self.prefix.chars().map(plain).collect();
        format!("{prefix}-{}", self.tenant)
    }

    /// The Vault policy and the Vault JWT role, such as `oam-acme`. Vault writes both in lower case.
    pub fn vault_slug(&self) -> String {
        self.slug().to_ascii_lowercase()
    }

    /// The Consul ACL policy of the tenant's tasks, such as `oam-acme-tasks`.
    pub fn tasks_policy(&self) -> String {
        format!("{}-tasks", self.slug())
    }

    /// The Nomad namespace of the tenant's jobs.
    pub fn namespace(&self) -> &str {
        &self.tenant
    }

    /// What matches the further namespaces that scopes may make for the tenant, such as `acme-*`.
    pub fn namespaces(&self) -> String {
        format!("{}-*", self.tenant)
    }

    /// The Consul role of the tenant's tasks, such as `nomad-acme-tasks`: the one that
    /// `nomad setup consul` binds the workload identities of tasks in the namespace to
    /// (`bind_name = "nomad-${value.nomad_namespace}-tasks"` in Nomad's `command/setup_consul.go`).
    pub fn consul_role(&self) -> String {
        format!("nomad-{}-tasks", self.tenant)
    }

    /// What tells, in Consul, the tasks in the further namespaces that scopes may make for the tenant, by the
    /// claims of their identities. Names have letters and digits alone, so that they stand for themselves in a
    /// pattern, and no other tenant's begins with this one's and a hyphen.
    pub fn consul_selector(&self) -> String {
        format!(
            "\"nomad_service\" not in value and value.nomad_namespace matches \"^{}-\"",
            self.tenant
        )
    }

    /// What the names of the tenant's services begin with, such as `acme-`.
    pub fn service_prefix(&self) -> String {
        format!("{}-", self.tenant)
    }

    /// The folder in Consul's KV store that is the tenant's own, such as `acme/`.
    pub fn key_prefix(&self) -> String {
        format!("{}/", self.tenant)
    }

    /// The folder of the tenant's secrets in a KV mount, as its users write it, such as
    /// `secret/acme/`.
    pub fn secrets(&self, mount: &str) -> String {
        format!("{mount}/{}/", self.tenant)
    }

    /// The paths of Vault's API below which the tenant's secrets are: of a mount of KV version 2 the
    /// data and the metadata, and of version 1 the folder itself.
    pub fn secret_paths(&self, mount: &str, version: u8) -> Vec<String> {
        match version {
            1 => vec![self.secrets(mount)],
            _ => ["data", "metadata"]
                .map(|part| format!("{mount}/{part}/{}/", self.tenant))
                .into(),
        }
    }

    /// Whether the names are short enough for all servers: 128 characters are the most for the name of a
    /// policy in Nomad and Consul, and 256 bytes for its description in Nomad.
    pub fn fit(&self) -> bool {
        self.tasks_policy().len() <= 128
    }

    /// Whether the tenant's own folder in Consul would be the one of the provider's records.
    pub fn is_in_the_way(&self) -> bool {
        self.prefix.split('/').next() == Some(self.tenant.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let names = Names::of("oam", "acme");
        assert_eq!(names.slug(), "oam-acme");
        assert_eq!(names.tasks_policy(), "oam-acme-tasks");
        assert_eq!(names.namespace(), "acme");
        assert_eq!(names.namespaces(), "acme-*");
        assert_eq!(names.consul_role(), "nomad-acme-tasks");
        assert_eq!(
            names.consul_selector(),
            r#""nomad_service" not in value and value.nomad_namespace matches "^acme-""#
        );
        assert_eq!(names.service_prefix(), "acme-");
        assert_eq!(names.key_prefix(), "acme/");
        assert_eq!(names.secrets("secret"), "secret/acme/");
        assert_eq!(names.secret_paths("kv", 1), ["kv/acme/"]);
        assert_eq!(
            names.secret_paths("kv", 2),
            ["kv/data/acme/", "kv/metadata/acme/"]
        );
        let other = Names::of("teams/shop_2.x", "Acme");
        assert_eq!(other.slug(), "teams-shop-2-x-Acme");
        assert_eq!(other.vault_slug(), "teams-shop-2-x-acme");
    }

    #[test]
    fn a_tenant_is_not_called_like_the_folder_of_the_records() {
        for (prefix, tenant, is) in [
            ("oam", "oam", true),
            ("oam", "oam2", false),
            ("teams/shop", "teams", true),
            ("teams/shop", "shop", false),
        ] {
            assert_eq!(Names::of(prefix, tenant).is_in_the_way(), is, "{tenant}");
        }
    }
}
