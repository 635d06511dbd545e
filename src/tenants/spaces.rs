//! The namespaces of Consul and Vault that are a tenant's own (Enterprise).

use serde::{Deserialize, Serialize};

/// Which namespaces a tenant has for itself; where it has none, the provider's own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spaces {
    /// That of Consul, in the provider's admin partition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consul: Option<String>,
    /// That of Vault, below the provider's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vault: Option<String>,
}

impl Spaces {
    /// Whether there is none.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// Whether a text can be the name of a namespace in Consul and of one in Vault: a DNS label, as Consul takes
/// it (<https://developer.hashicorp.com/consul/api-docs/namespaces>).
pub fn is_space(name: &str) -> bool {
    let edges = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    name.len() <= 64
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && edges(name.chars().next())
        && edges(name.chars().next_back())
}

#[cfg(test)]
mod tests {
    use super::is_space;

    #[test]
    fn names() {
        for (name, is) in [
            ("acme", true),
            ("a-1", true),
            ("", false),
            ("-a", false),
            ("a-", false),
            ("a/b", false),
            ("a.b", false),
            ("a\"", false),
        ] {
            assert_eq!(is_space(name), is, "{name}");
        }
        assert!(!is_space(&"a".repeat(65)));
    }
}
