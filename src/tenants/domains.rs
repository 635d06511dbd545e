//! Whose a host is: the domains of all tenants.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The domains of all tenants, each with its tenant. No two tenants have domains of which one is the
/// other or below it, so that a host is one tenant's at most.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Domains(BTreeMap<String, String>);

/// A domain that another tenant has, or has a part of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The other tenant.
    pub tenant: String,
    /// Its domain.
    pub domain: String,
}

impl Domains {
    /// The tenant whose domain a host is, or is below.
    pub fn owner_of(&self, host: &str) -> Option<&str> {
        let mut all = self.0.iter();
        let (_, tenant) = all.find(|(domain, _)| is_within(host, domain))?;
        Some(tenant)
    }

    /// What another tenant has that is the domain, is below it, or has it below.
    pub fn taken(&self, tenant: &str, domain: &str) -> Option<Taken> {
        let mut others = self.0.iter().filter(|(_, owner)| *owner != tenant);
        let overlaps = |other: &str| is_within(domain, other) || is_within(other, domain);
        let (other, owner) = others.find(|(other, _)| overlaps(other))?;
        Some(Taken {
            tenant: owner.clone(),
            domain: other.clone(),
        })
    }

    /// Gives the tenant a domain beside those that it has.
    ///
    /// # Errors
    /// What another tenant has of it.
    pub fn claim(&mut self, tenant: &str, domain: &str) -> Result<(), Taken> {
        match self.taken(tenant, domain) {
            Some(taken) => Err(taken),
            None => {
                self.0
                    .insert(domain.to_ascii_lowercase(), tenant.to_owned());
                Ok(())
            }
        }
    }

    /// Leaves the tenant this domain alone, where it has it, or none.
    pub fn keep(&mut self, tenant: &str, domain: Option<&str>) {
        let kept = domain.map(str::to_ascii_lowercase);
        self.0
            .retain(|domain, owner| owner != tenant || Some(domain) == kept.as_ref());
    }

    /// All, each with its tenant, by domain.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(domain, tenant)| (&**domain, &**tenant))
    }
}

/// Whether a host is the domain, or below it. DNS does not tell upper case from lower.
pub fn is_within(host: &str, domain: &str) -> bool {
    let (host, domain) = (host.to_ascii_lowercase(), domain.to_ascii_lowercase());
    let above = host.strip_suffix(&domain);
    above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_within_a_domain() {
        for (host, domain, is) in [
            ("acme.example.com", "acme.example.com", true),
            ("Shop.ACME.example.com", "acme.Example.com", true),
            ("a.b.acme.example.com", "acme.example.com", true),
            ("notacme.example.com", "acme.example.com", false),
            ("example.com", "acme.example.com", false),
            ("acme.example.com.evil.org", "acme.example.com", false),
            ("", "acme.example.com", false),
        ] {
            assert_eq!(is_within(host, domain), is, "{host} {domain}");
        }
    }

    #[test]
    fn no_two_tenants_domains_overlap() {
        let mut domains = Domains::default();
        assert_eq!(domains.claim("acme", "Acme.example.com"), Ok(()));
        let taken = |tenant: &str, domain: &str| Taken {
            tenant: tenant.to_owned(),
            domain: domain.to_owned(),
        };
        let acmes = taken("acme", "acme.example.com");
        for domain in [
            "acme.example.com",
            "example.com",
            "x.ACME.example.com",
            "com",
        ] {
            assert_eq!(
                domains.claim("beta", domain),
                Err(acmes.clone()),
                "{domain}"
            );
        }
        assert_eq!(domains.claim("beta", "beta.example.com"), Ok(()));
        // Of its own, a tenant may have one below the other, while it goes from one to the other.
        assert_eq!(domains.claim("acme", "shop.acme.example.com"), Ok(()));
        assert_eq!(domains.owner_of("www.acme.example.com"), Some("acme"));
        assert_eq!(domains.owner_of("beta.example.com"), Some("beta"));
        assert_eq!(domains.owner_of("example.com"), None);
        domains.keep("acme", Some("SHOP.acme.example.com"));
        assert_eq!(domains.owner_of("www.acme.example.com"), None);
        assert_eq!(domains.owner_of("shop.acme.example.com"), Some("acme"));
        domains.keep("acme", None);
        let left: Vec<_> = domains.iter().collect();
        assert_eq!(left, [("beta.example.com", "beta")]);
    }
}
