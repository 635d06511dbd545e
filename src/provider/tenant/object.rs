//! One thing that a tenant has on a server: what it should be, what it is, and whose.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::kind::Kind;
use crate::consul::{self, AclLink, AclPolicy as ConsulPolicy, AclRole, BindingRule};
use crate::nomad::{self, AclPolicy as NomadPolicy, META_PREFIX, Namespace};
use crate::tenants::policies::Home;
use crate::tenants::{META_TENANT, Mark, Names, Spaces, policies};
use crate::vault::{JwtRole, KvVersion};

/// A thing on a server, as it is or as it should be.
#[derive(Clone, Debug, PartialEq)]
pub enum Object {
    /// A Nomad namespace.
    Namespace(Namespace),
    /// A Nomad ACL policy.
    NomadPolicy(NomadPolicy),
    /// A Consul ACL policy.
    ConsulPolicy(ConsulPolicy),
    /// A Consul role.
    ConsulRole(AclRole),
    /// A Consul namespace.
    ConsulNamespace(consul::Namespace),
    /// Consul's binding rules: those that say that they are the tenant's.
    ConsulBindingRules(Vec<BindingRule>),
    /// The meta of a Vault namespace.
    VaultNamespace(Map<String, Json>),
    /// The text of a Vault policy.
    VaultPolicy(String),
    /// A Vault JWT role.
    VaultRole(JwtRole),
}

/// Who made something, by its marks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// This tenant.
    Ours,
    /// It does not say.
    Nobodys,
    /// Somebody else, in words.
    Anothers(String),
}

/// What a tenant wants of the servers.
#[derive(Clone, Debug)]
pub struct Aim {
    /// What everything is called.
    pub names: Names,
    /// What people call the tenant.
    pub display_name: String,
    /// Whether its applications can be applied.
    pub active: bool,
    /// The namespaces of its own.
    pub spaces: Spaces,
    /// Whether the provider's records are in a Consul namespace other than `default`.
    pub is_apart: bool,
    /// The auth methods of Consul with which Nomad's tasks log in.
    pub methods: Vec<String>,
    /// The Vault, where there is one.
    pub vault: Option<AimVault>,
}

/// What a tenant wants of Vault.
#[derive(Clone, Debug)]
pub struct AimVault {
    /// Where the login of Nomad's tasks is mounted.
    pub auth_path: String,
    /// Where the key-value store is mounted.
    pub mount: String,
    /// Its version.
    pub version: KvVersion,
    /// The audience of the tasks' identities.
    pub audience: String,
}

impl Aim {
    /// The name of a kind of thing, whether it is wanted or not.
    pub fn name(&self, kind: Kind) -> String {
        match kind {
            Kind::Namespace => self.names.namespace().to_owned(),
            Kind::NomadPolicy | Kind::ConsulPolicy => self.names.slug(),
            Kind::ConsulTasksPolicy => self.names.tasks_policy(),
            Kind::ConsulRole => self.names.consul_role(),
            Kind::ConsulBindingRule => self.names.consul_selector(),
            Kind::ConsulNamespace => self.spaces.consul.clone().unwrap_or_default(),
            Kind::VaultNamespace => self.spaces.vault.clone().unwrap_or_default(),
            Kind::VaultPolicy | Kind::VaultRole => self.names.vault_slug(),
        }
    }

    /// Where a thing is, as the record has it: its name, and of a Vault role the login before it.
    pub fn place(&self, kind: Kind) -> String {
        match (kind, &self.vault) {
            (Kind::VaultRole, Some(vault)) => format!("{}/{}", vault.auth_path, self.name(kind)),
            _ => self.name(kind),
        }
    }

    /// What a thing should be; `None` where there should be none.
    pub fn wanted(&self, kind: Kind) -> Option<Object> {
        let (names, name) = (&self.names, self.name(kind));
        let mark = Mark::of(names).to_string();
        Some(match kind {
            Kind::Namespace => Object::Namespace(Namespace {
                name,
                description: self.display_name.clone(),
                meta: names_mark(names).into(),
                ..Namespace::default()
            }),
            Kind::NomadPolicy => Object::NomadPolicy(NomadPolicy {
                name,
                description: mark,
                rules: policies::nomad(names, self.active),
                job_acl: Json::Null,
            }),
            Kind::ConsulTasksPolicy => Object::ConsulPolicy(ConsulPolicy {
                name,
                description: mark,
                rules: policies::consul_tasks(names),
                ..ConsulPolicy::default()
            }),
            Kind::ConsulRole => Object::ConsulRole(AclRole {
                name,
                description: mark,
                policies: vec![AclLink::to(&names.tasks_policy())],
                ..AclRole::default()
            }),
            Kind::ConsulPolicy => Object::ConsulPolicy(ConsulPolicy {
                name,
                description: mark,
                rules: policies::consul(names, self.active, self.home()),
                ..ConsulPolicy::default()
            }),
            Kind::ConsulBindingRule => {
                let methods = self.methods.iter();
                let rules = methods.map(|method| BindingRule {
                    id: String::new(),
                    description: mark.clone(),
                    auth_method: method.clone(),
                    selector: names.consul_selector(),
                    bind_type: "role".to_owned(),
                    bind_name: names.consul_role(),
                });
                let rules: Vec<_> = rules.collect();
                (!rules.is_empty()).then_some(Object::ConsulBindingRules(rules))?
            }
            Kind::ConsulNamespace => {
                let name = self.spaces.consul.clone()?;
                Object::ConsulNamespace(consul::Namespace {
                    name,
                    description: self.display_name.clone(),
                    meta: names_mark(names).into(),
                    ..consul::Namespace::default()
                })
            }
            Kind::VaultNamespace => {
                self.spaces.vault.as_ref().and(self.vault.as_ref())?;
                let meta = names_mark(names).into_iter();
                Object::VaultNamespace(meta.map(|(k, v)| (k, v.into())).collect())
            }
            Kind::VaultPolicy => {
                let vault = self.vault.as_ref()?;
                let version = match vault.version {
                    KvVersion::One => 1,
                    KvVersion::Two => 2,
                };
                Object::VaultPolicy(policies::vault(names, &vault.mount, version))
            }
            Kind::VaultRole => {
                let vault = self.vault.as_ref().filter(|_| self.active)?;
                let namespaces = json!([names.namespace(), names.namespaces()]);
                let mut role =
                    JwtRole::of_namespace(names.namespace(), &vault.audience, &names.vault_slug());
                role.bound_claims
                    .insert("nomad_namespace".to_owned(), namespaces);
                role.bound_claims_type = "glob".to_owned();
                Object::VaultRole(role)
            }
        })
    }
}

impl Aim {
    fn home(&self) -> Home<'_> {
        match &self.spaces.consul {
            None => Home::Here,
            Some(_) if self.is_apart => Home::OutOfReach,
            Some(own) => Home::In(own),
        }
    }
}

/// The mark of what has room for a meta.
fn names_mark(names: &Names) -> [(String, String); 2] {
    [
        (META_TENANT.to_owned(), names.tenant().to_owned()),
        (META_PREFIX.to_owned(), names.prefix().to_owned()),
    ]
}

impl Object {
    /// Who made it.
    pub fn whose(&self, names: &Names) -> Whose {
        let ours = Mark::of(names);
        let by = |mark: Option<Mark>| match mark {
            None => Whose::Nobodys,
            Some(mark) if mark == ours => Whose::Ours,
            Some(Mark { tenant, prefix }) => {
                Whose::Anothers(format!("the tenant {tenant} (Consul key prefix {prefix})"))
            }
        };
        let in_meta = |read: &dyn Fn(&str) -> Option<String>| {
            by(read(META_TENANT).map(|tenant| Mark {
                tenant,
                prefix: read(META_PREFIX).unwrap_or_default(),
            }))
        };
        match self {
            Self::Namespace(it) => match nomad::owner(&it.meta) {
                Some(scope) => Whose::Anothers(scope.to_string()),
                None => in_meta(&|key| it.meta.get(key).cloned()),
            },
            Self::ConsulNamespace(it) => in_meta(&|key| it.meta.get(key).cloned()),
            Self::VaultNamespace(meta) => in_meta(&|key| Some(meta.get(key)?.as_str()?.to_owned())),
            // Others are not looked at.
            Self::ConsulBindingRules(_) => Whose::Ours,
            Self::NomadPolicy(it) => by(Mark::read(&it.description)),
            Self::ConsulPolicy(it) => by(Mark::read(&it.description)),
            Self::ConsulRole(it) => by(Mark::read(&it.description)),
            Self::VaultPolicy(text) => by(policies::vault_mark(text)),
            // A role has no room for a mark: what gives out the tenant's policy is the tenant's.
            Self::VaultRole(it) => match it.token_policies.contains(&names.vault_slug()) {
                true => Whose::Ours,
                false => Whose::Nobodys,
            },
        }
    }

    /// The same as it is wanted, with what others may have set and nobody here looks after.
    pub fn shaped(self, wanted: Object) -> Object {
        match (self, wanted) {
            (Self::Namespace(live), Self::Namespace(mut wanted)) => {
                let mut meta = live.meta;
                meta.append(&mut wanted.meta);
                Self::Namespace(Namespace {
                    meta,
                    description: wanted.description,
                    name: wanted.name,
                    ..Namespace {
                        quota: live.quota,
                        rest: live.rest,
                        ..Namespace::default()
                    }
                })
            }
            (Self::ConsulNamespace(live), Self::ConsulNamespace(wanted)) => {
                let mut meta = live.meta;
                meta.extend(wanted.meta);
                Self::ConsulNamespace(consul::Namespace {
                    meta,
                    rest: live.rest,
                    ..wanted
                })
            }
            (Self::ConsulBindingRules(live), Self::ConsulBindingRules(mut wanted)) => {
                for rule in &mut wanted {
                    let same = live.iter().find(|it| it.auth_method == rule.auth_method);
                    rule.id = same.map(|it| it.id.clone()).unwrap_or_default();
                }
                Self::ConsulBindingRules(wanted)
            }
            (Self::ConsulPolicy(live), Self::ConsulPolicy(wanted)) => {
                Self::ConsulPolicy(ConsulPolicy {
                    id: live.id,
                    ..wanted
                })
            }
            (Self::ConsulRole(live), Self::ConsulRole(wanted)) => Self::ConsulRole(AclRole {
                id: live.id,
                ..wanted
            }),
            (_, wanted) => wanted,
        }
    }

    /// Where it differs from what is wanted: the place, what is wanted there, and what is.
    pub fn differences(&self, wanted: &Object) -> Vec<(String, Json, Json)> {
        let (live, wanted) = (self.fields(), wanted.fields());
        let at = |name: &str, fields: &BTreeMap<String, Json>| {
            fields.get(name).cloned().unwrap_or(Json::Null)
        };
        // What is in neither of them differs in nothing, and what only the live one has is not looked
        // after in a namespace.
        let names = wanted.keys().chain(live.keys());
        let names: std::collections::BTreeSet<_> = names.collect();
        names
            .into_iter()
            .map(|name| (name.clone(), at(name, &wanted), at(name, &live)))
            .filter(|(_, wanted, live)| wanted != live)
            .collect()
    }

    /// What the provider looks after in it.
    fn fields(&self) -> BTreeMap<String, Json> {
        let named = |fields: &[(&str, Json)]| {
            let fields = fields.iter();
            fields
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect()
        };
        match self {
            Self::Namespace(it) => named(&[
                ("description", json!(it.description)),
                ("meta.oam.tenant", json!(it.meta.get(META_TENANT))),
                ("meta.oam.prefix", json!(it.meta.get(META_PREFIX))),
            ]),
            Self::ConsulNamespace(it) => named(&[
                ("description", json!(it.description)),
                ("meta.oam.tenant", json!(it.meta.get(META_TENANT))),
                ("meta.oam.prefix", json!(it.meta.get(META_PREFIX))),
            ]),
            Self::VaultNamespace(meta) => named(&[
                ("custom_metadata.oam.tenant", json!(meta.get(META_TENANT))),
                ("custom_metadata.oam.prefix", json!(meta.get(META_PREFIX))),
            ]),
            Self::ConsulBindingRules(rules) => {
                let mut fields: BTreeMap<_, Vec<Json>> = BTreeMap::new();
                for rule in rules {
                    let said = json!({
                        "selector": rule.selector,
                        "bind_type": rule.bind_type,
                        "bind_name": rule.bind_name,
                    });
                    let of_method = fields.entry(rule.auth_method.clone());
                    of_method.or_default().push(said);
                }
                fields.into_iter().map(|(k, v)| (k, v.into())).collect()
            }
            Self::NomadPolicy(it) => named(&[
                ("description", json!(it.description)),
                ("rules", json!(it.rules)),
                ("job_acl", it.job_acl.clone()),
            ]),
            Self::ConsulPolicy(it) => named(&[
                ("description", json!(it.description)),
                ("rules", json!(it.rules)),
                ("datacenters", json!(it.datacenters)),
            ]),
            Self::ConsulRole(it) => {
                let mut policies: Vec<_> = it.policies.iter().map(|it| &it.name).collect();
                policies.sort();
                named(&[
                    ("description", json!(it.description)),
                    ("policies", json!(policies)),
                    ("service_identities", json!(it.service_identities)),
                    ("node_identities", json!(it.node_identities)),
                    ("templated_policies", json!(it.templated_policies)),
                ])
            }
            Self::VaultPolicy(text) => named(&[("rules", json!(text))]),
            Self::VaultRole(it) => {
                let fields = serde_json::to_value(it).unwrap_or_default();
                let fields = fields.as_object().into_iter().flatten();
                fields.map(|(k, v)| (k.clone(), v.clone())).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn aim(tenant: &str, active: bool) -> Aim {
        Aim {
            names: Names::of("oam", tenant),
            display_name: "ACME".to_owned(),
            active,
            spaces: Spaces {
                consul: Some(tenant.to_owned()),
                vault: Some(tenant.to_owned()),
            },
            is_apart: false,
            methods: vec!["nomad-workloads".to_owned()],
            vault: Some(AimVault {
                auth_path: "jwt-nomad".to_owned(),
                mount: "secret".to_owned(),
                version: KvVersion::Two,
                audience: "vault.io".to_owned(),
            }),
        }
    }

    #[test]
    fn what_is_made_says_whose_it_is_and_differs_in_nothing() {
        for kind in Kind::ALL {
            let (mine, other) = (aim("acme", true), aim("beta", true));
            let object = mine.wanted(kind).unwrap();
            assert_eq!(object.whose(&mine.names), Whose::Ours, "{kind:?}");
            // Of binding rules, those of others are not even looked at.
            if kind != Kind::ConsulBindingRule {
                assert_ne!(object.whose(&other.names), Whose::Ours, "{kind:?}");
            }
            assert!(object.differences(&object).is_empty(), "{kind:?}");
            let beta = other.wanted(kind).unwrap();
            assert!(!object.differences(&beta).is_empty(), "{kind:?}");
            let shaped = object.shaped(beta.clone());
            assert!(shaped.differences(&beta).is_empty(), "{kind:?}");
        }
    }

    #[test]
    fn a_tenant_that_is_not_active_has_no_vault_role() {
        let aim = aim("acme", false);
        let without: Vec<_> = Kind::ALL
            .into_iter()
            .filter(|kind| aim.wanted(*kind).is_none())
            .collect();
        assert_eq!(without, [Kind::VaultRole]);
    }

    #[test]
    fn a_namespace_of_a_scope_is_the_scopes() {
        let aim = aim("acme", true);
        let mut namespace = Namespace::default();
        assert_eq!(
            Object::Namespace(namespace.clone()).whose(&aim.names),
            Whose::Nobodys
        );
        let owner = nomad::Owner {
            scope: "namespace/team".to_owned(),
            prefix: "oam".to_owned(),
        };
        owner.mark(&mut namespace.meta);
        let Whose::Anothers(words) = Object::Namespace(namespace).whose(&aim.names) else {
            panic!("not the scope's");
        };
        assert!(words.contains("namespace/team"), "{words}");
    }

    #[test]
    fn what_others_have_set_in_a_namespace_stays() {
        let aim = aim("acme", true);
        let live = Namespace {
            name: "acme".to_owned(),
            quota: "q".to_owned(),
            meta: [("team".to_owned(), "x".to_owned())].into(),
            rest: serde_json::Map::from_iter([("Capabilities".to_owned(), json!({}))]),
            ..Namespace::default()
        };
        let shaped = Object::Namespace(live).shaped(aim.wanted(Kind::Namespace).unwrap());
        let Object::Namespace(shaped) = shaped else {
            panic!("no namespace");
        };
        assert_eq!(
            (shaped.quota.as_str(), shaped.description.as_str()),
            ("q", "ACME")
        );
        assert_eq!(shaped.meta.len(), 3);
        assert!(shaped.rest.contains_key("Capabilities"));
    }
}
