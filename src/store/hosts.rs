//! Whose hosts applications ask for, and the guarantee that no two tenants' requests meet.
//!
//! An application that begins with hosts checks in its own transaction that the domains of all tenants are
//! those that were read, in which none of its hosts is another's; where there were none yet, it looks again
//! when its intent is written (`absent.rs`). A tenant that is given a domain writes the
//! domains first and then lists all applications with `?consistent`; where another's asks for a host in it,
//! it gives the domain back. Either the application's transaction comes first, and the list shows it, or the
//! domains' does, and the application finds another index than it has read.

use std::collections::BTreeSet;

use serde_json::Value;

use super::guards::Guard;
use super::{ApplicationKey, Store, StoreError, TenantKey};
use crate::tenants::is_within;

/// The hosts that a document asks for, by the trait `ingress` of its components.
pub(super) fn of_document(document: &Value) -> BTreeSet<String> {
    let list = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
    let components = list(document.pointer("/spec/components"));
    let traits = components.iter().flat_map(|it| list(it.get("traits")));
    let hosts = traits.filter_map(|it| {
        let is_ingress = it.get("type").and_then(Value::as_str) == Some("ingress");
        let host = it.pointer("/properties/host").and_then(Value::as_str);
        host.filter(|_| is_ingress).map(str::to_ascii_lowercase)
    });
    hosts.collect()
}

impl Store {
    /// What guards the hosts of an application that begins; nothing where no tenant has had a domain yet.
    ///
    /// # Errors
    /// [`StoreError::HostTaken`], [`StoreError::BadDomains`], [`StoreError::Consul`].
    pub(super) async fn guarded_hosts(
        &self,
        key: &ApplicationKey,
        hosts: &BTreeSet<String>,
    ) -> Result<Option<Guard>, StoreError> {
        let (domains, index) = self.read_domains().await?;
        for host in hosts {
            if let Some(tenant) = domains.owner_of(host).filter(|it| *it != key.tenant()) {
                return Err(StoreError::HostTaken {
                    key: key.clone(),
                    host: host.clone(),
                    tenant: TenantKey::new(tenant),
                });
            }
        }
        let key = self.domains_path();
        Ok((index != 0).then_some(Guard::Same { key, index }))
    }

    /// The applications of others that ask for a host in the domain.
    ///
    /// # Errors
    /// Where a record cannot be read, as nobody knows its hosts then.
    pub(super) async fn strangers(
        &self,
        tenant: &TenantKey,
        domain: &str,
    ) -> Result<Vec<ApplicationKey>, StoreError> {
        let entries = self.inner.consul.list_latest(&self.applications()).await?;
        let mut strangers = Vec::new();
        for (key, stored) in self.applications_in(&entries) {
            if key.tenant() == tenant.name() {
                continue;
            }
            let hosts = of_document(&stored?.record.document);
            if hosts.iter().any(|host| is_within(host, domain)) {
                strangers.push(key);
            }
        }
        Ok(strangers)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::of_document;
    use crate::oam::{self, Node};

    #[test]
    fn hosts_are_found_in_a_document() {
        let web = |host: &str| {
            json!({
                "type": "webservice", "image": "a", "port": {"http": {"port": 80}},
                "ingress": {"host": host},
            })
        };
        let node = Node::from(&json!({"name": "shop", "component": {
            "web": web("Shop.Example.com"),
            "api": web("api.example.com"),
            "job": {"type": "worker", "image": "a"},
        }}));
        let found = of_document(&oam::to_document(&node));
        let found: Vec<_> = found.iter().map(String::as_str).collect();
        assert_eq!(found, ["api.example.com", "shop.example.com"]);
        assert!(of_document(&json!({"spec": 1})).is_empty());
        assert!(of_document(&oam::to_document(&Node::Map(BTreeMap::new()))).is_empty());
    }
}
