//! The namespace or node pool of a scope.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::config::{Aim, Wanted};
use super::failure;
use super::kind::{Kind, ObjectKind};
use crate::http;
use crate::nomad::{self, Deleted, META_PREFIX, META_SCOPE, Namespace, NodePool, Owner, owner};
use crate::protocol::diagnostic::{Diagnostic, Diagnostics};
use crate::provider::Clients;
use crate::provider::tenant::limits;
use crate::store::{Phase, ScopeKey, ScopeRecord};

/// A namespace or a node pool.
#[derive(Clone, Debug, PartialEq)]
pub enum Object {
    /// A namespace.
    Namespace(Namespace),
    /// A node pool.
    NodePool(NodePool),
}

impl Object {
    fn new(kind: ObjectKind, name: &str) -> Self {
        let name = name.to_owned();
        match kind {
            ObjectKind::Namespace => Self::Namespace(Namespace {
                name,
                ..Namespace::default()
            }),
            ObjectKind::NodePool => Self::NodePool(NodePool {
                name,
                ..NodePool::default()
            }),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Namespace(it) => &it.name,
            Self::NodePool(it) => &it.name,
        }
    }

    /// Its description; may be empty.
    pub fn description(&self) -> &str {
        match self {
            Self::Namespace(it) => &it.description,
            Self::NodePool(it) => &it.description,
        }
    }

    /// Its quota; empty for none.
    pub fn quota(&self) -> &str {
        match self {
            Self::Namespace(it) => &it.quota,
            Self::NodePool(_) => "",
        }
    }

    fn meta(&self) -> &BTreeMap<String, String> {
        match self {
            Self::Namespace(it) => &it.meta,
            Self::NodePool(it) => &it.meta,
        }
    }

    fn meta_mut(&mut self) -> &mut BTreeMap<String, String> {
        match self {
            Self::Namespace(it) => &mut it.meta,
            Self::NodePool(it) => &mut it.meta,
        }
    }

    /// The same as a scope wants it, with the scope's marks.
    fn shaped(mut self, wanted: &Wanted, owner: &Owner) -> Self {
        match &mut self {
            Self::Namespace(it) => {
                it.description.clone_from(&wanted.description);
                it.quota.clone_from(&wanted.quota);
            }
            Self::NodePool(it) => it.description.clone_from(&wanted.description),
        }
        owner.mark(self.meta_mut());
        self
    }
}

/// The objects of one kind in Nomad, for one scope.
pub struct Objects<'a> {
    nomad: &'a nomad::Client,
    kind: ObjectKind,
    key: &'a ScopeKey,
    owner: Owner,
}

/// What could not be done.
pub struct Refused {
    /// Why.
    pub diagnostic: Diagnostic,
    /// Whether something in Nomad was changed before, or may have been.
    pub touched: bool,
}

impl Refused {
    /// Before anything was touched.
    pub fn early(diagnostic: Diagnostic) -> Self {
        Self {
            diagnostic,
            touched: false,
        }
    }

    fn late(diagnostic: Diagnostic) -> Self {
        Self {
            diagnostic,
            touched: true,
        }
    }
}

impl<'a> Objects<'a> {
    /// Those of a scope; `None` where its kind makes none.
    pub fn of(kind: Kind, clients: &'a Clients, key: &'a ScopeKey) -> Option<Self> {
        Some(Self {
            nomad: &clients.nomad,
            kind: kind.object()?,
            key,
            owner: Owner {
                scope: key.to_string(),
                prefix: clients.store.prefix().to_owned(),
            },
        })
    }

    /// Of which kind they are.
    pub fn kind(&self) -> ObjectKind {
        self.kind
    }

    /// The object of a name.
    ///
    /// # Errors
    /// Where Nomad does not answer, or denies access.
    pub async fn find(&self, name: &str) -> Result<Option<Object>, http::Error> {
        Ok(match self.kind {
            ObjectKind::Namespace => self.nomad.namespace(name).await?.map(Object::Namespace),
            ObjectKind::NodePool => self.nomad.node_pool(name).await?.map(Object::NodePool),
        })
    }

    /// All that this scope has made, by its marks.
    ///
    /// # Errors
    /// Where Nomad does not answer, or denies access.
    pub async fn made(&self) -> Result<Vec<Object>, http::Error> {
        let all: Vec<_> = match self.kind {
            ObjectKind::Namespace => {
                let all = self.nomad.namespaces().await?;
                all.into_iter().map(Object::Namespace).collect()
            }
            ObjectKind::NodePool => {
                let all = self.nomad.node_pools().await?;
                all.into_iter().map(Object::NodePool).collect()
            }
        };
        Ok(all.into_iter().filter(|it| self.is_made(it)).collect())
    }

    /// Whether this scope has made the object, by its marks.
    pub fn is_made(&self, object: &Object) -> bool {
        self.owner.made(object.meta())
    }

    async fn write(&self, object: &Object) -> Result<(), http::Error> {
        match object {
            Object::Namespace(it) => self.nomad.write_namespace(it).await,
            Object::NodePool(it) => self.nomad.write_node_pool(it).await,
        }
    }

    /// Deletes an object, whoever made it.
    ///
    /// # Errors
    /// Where Nomad does not do it.
    pub async fn delete(&self, name: &str) -> Result<Deleted, http::Error> {
        match self.kind {
            ObjectKind::Namespace => self.nomad.delete_namespace(name).await,
            ObjectKind::NodePool => self.nomad.delete_node_pool(name).await,
        }
    }

    /// Whether the aim can be reached, as far as can be told without changing anything: a warning
    /// where it can, but not as probably meant.
    ///
    /// # Errors
    /// Where it cannot.
    pub async fn check(
        &self,
        aim: &Aim,
        before: Option<&ScopeRecord>,
    ) -> Result<Diagnostics, Diagnostic> {
        match aim {
            Aim::Nothing => {}
            Aim::Own(wanted) => {
                let found = self.find(&wanted.name).await;
                if let Some(found) = found.map_err(|e| failure::refused(self.kind, &e))? {
                    self.may_change(&found, before)?;
                }
            }
            Aim::Refer(name) => match (self.find(name).await, self.kind) {
                (Ok(Some(_)), _) => {}
                (Ok(None), ObjectKind::Namespace) => return Err(failure::absent(self.kind, name)),
                (Ok(None), ObjectKind::NodePool) => {
                    return Ok(vec![failure::absent_yet(self.kind, name)]);
                }
                // Who may run jobs need not be one who may look at node pools.
                (Err(error), ObjectKind::NodePool)
                    if matches!(error.kind, http::Kind::Unauthorized { .. }) => {}
                (Err(error), _) => return Err(failure::refused(self.kind, &error)),
            },
        }
        Ok(Vec::new())
    }

    /// Whether this scope may change what is there: it has made it, or the record says so and nobody
    /// else does.
    fn may_change(&self, found: &Object, before: Option<&ScopeRecord>) -> Result<(), Diagnostic> {
        let owner = owner(found.meta());
        let recorded = before.is_some_and(|record| {
            record.owns && self.named_by(&record.properties) == Some(found.name())
        });
        if self.is_made(found) || (owner.is_none() && recorded) {
            return Ok(());
        }
        Err(failure::exists(self.kind, found.name(), owner.as_ref()))
    }

    /// The object that a scope with these properties is about.
    fn named_by<'p>(&self, properties: &'p Json) -> Option<&'p str> {
        properties[self.kind.property()].as_str()
    }

    /// Makes Nomad what the scope wants, under the scope's lock. `leaving` are the objects whose leave
    /// has been tried before; one of them that has to stay is worth a warning.
    ///
    /// # Errors
    /// Where Nomad does not do it, or somebody else has made the object.
    pub async fn reach(
        &self,
        aim: &Aim,
        before: Option<&ScopeRecord>,
        leaving: &[String],
        is_lost: impl Fn() -> bool,
    ) -> Result<Diagnostics, Refused> {
        let Aim::Own(wanted) = aim else {
            // What was made under an apply that was cut short is told by its marks alone.
            let nothing = |record: &ScopeRecord| !record.owns && record.phase == Phase::Settled;
            if before.is_none_or(nothing) {
                return Ok(Vec::new());
            }
            self.hand_over().await?;
            return Ok(Vec::new());
        };
        let refused = |error: &http::Error| failure::refused(self.kind, error);
        let found = self.find(&wanted.name).await;
        let found = found.map_err(|error| Refused::early(refused(&error)))?;
        if let Some(found) = &found {
            self.may_change(found, before).map_err(Refused::early)?;
        }
        let base = || Object::new(self.kind, &wanted.name);
        let object = found
            .clone()
            .unwrap_or_else(base)
            .shaped(wanted, &self.owner);
        self.write_limited(object, found).await?;
        self.delete_others(Some(&wanted.name), leaving, is_lost)
            .await
            .map_err(Refused::late)
    }

    /// Writes an object where it is not so already. A namespace of a tenant's is limited as the tenant's own is,
    /// which is read again when it is written: see [`limits`].
    async fn write_limited(
        &self,
        mut object: Object,
        mut found: Option<Object>,
    ) -> Result<(), Refused> {
        const TRIES: usize = 5;
        let refused = |error: &http::Error, touched| Refused {
            diagnostic: failure::refused(self.kind, error),
            touched,
        };
        let mut touched = false;
        for _ in 0..TRIES {
            if let Object::Namespace(namespace) = &mut object {
                let limits = limits::inherited(self.nomad, &namespace.name).await;
                if let Some(limits) = limits.map_err(|error| refused(&error, touched))? {
                    limits::limit(namespace, &limits);
                }
            }
            if found.as_ref() == Some(&object) {
                break;
            }
            tracing::info!(name = object.name(), "writing the {}", self.kind.noun());
            let written = self.write(&object).await;
            written.map_err(|error| refused(&error, touched || error.is_uncertain()))?;
            touched = true;
            found = Some(object.clone());
        }
        Ok(())
    }

    /// Takes the marks off everything that this scope has made.
    async fn hand_over(&self) -> Result<(), Refused> {
        let refused = |error: http::Error| failure::refused(self.kind, &error);
        let made = self.made().await;
        for mut object in made.map_err(|error| Refused::early(refused(error)))? {
            object.meta_mut().remove(META_SCOPE);
            object.meta_mut().remove(META_PREFIX);
            tracing::info!(
                name = object.name(),
                "handing the {} over",
                self.kind.noun()
            );
            let written = self.write(&object).await;
            written.map_err(|error| Refused::late(refused(error)))?;
        }
        Ok(())
    }

    /// Deletes what this scope has made and no longer uses, where it is empty.
    async fn delete_others(
        &self,
        kept: Option<&str>,
        leaving: &[String],
        is_lost: impl Fn() -> bool,
    ) -> Result<Diagnostics, Diagnostic> {
        let mut warnings = Vec::new();
        let made = self.made().await.map_err(|error| failure::nomad(&error))?;
        for object in made.iter().filter(|it| Some(it.name()) != kept) {
            if is_lost() {
                return Err(failure::lost(self.key));
            }
            let name = object.name();
            let deleted = self.delete(name).await;
            match deleted.map_err(|error| failure::nomad(&error))? {
                Deleted::Done | Deleted::Absent => {
                    tracing::info!(name, "deleted the {}", self.kind.noun());
                }
                Deleted::NotEmpty(words) if leaving.iter().any(|it| it == name) => {
                    warnings.push(failure::still_not_empty(self.kind, name, &words));
                }
                // The applications come after the scope, and take their jobs out.
                Deleted::NotEmpty(_) => {}
            }
        }
        Ok(warnings)
    }

    /// Deletes all that this scope has made. A warning of what the record says was made, and does not
    /// say so itself.
    ///
    /// # Errors
    /// Where something is still in it, or Nomad does not do it.
    pub async fn delete_all(
        &self,
        record: &ScopeRecord,
        is_lost: impl Fn() -> bool,
    ) -> Result<Diagnostics, Diagnostic> {
        let nomad = |error: http::Error| failure::nomad(&error);
        let made = self.made().await.map_err(nomad)?;
        for object in &made {
            if is_lost() {
                return Err(failure::lost(self.key));
            }
            let name = object.name();
            match self.delete(name).await.map_err(nomad)? {
                Deleted::Done | Deleted::Absent => {
                    tracing::info!(name, "deleted the {}", self.kind.noun());
                }
                Deleted::NotEmpty(words) => {
                    return Err(failure::not_empty(self.kind, name, &words));
                }
            }
        }
        let Some(name) = self.named_by(&record.properties).filter(|_| record.owns) else {
            return Ok(Vec::new());
        };
        let was_ours = made.iter().any(|it| it.name() == name);
        let left = !was_ours && self.find(name).await.map_err(nomad)?.is_some();
        let warning = left.then(|| failure::left_alone(self.kind, name, self.key));
        Ok(warning.into_iter().collect())
    }
}

/// Deletes what a scope has left behind when its applications have left it, too: `before` and `after`
/// are the scope's properties as the application's jobs had and have them. Nomad refuses where another
/// application's jobs are still in it, and the last one to leave succeeds. What fails here shows as
/// `leaving` at the scope's next refresh.
pub async fn tidy(clients: &Clients, id: &str, before: &Json, after: &Json) {
    let Ok(key) = ScopeKey::parse(id) else { return };
    let Some(kind) = Kind::all().find(|kind| kind.scope == key.kind()) else {
        return;
    };
    let Some(objects) = Objects::of(kind, clients, &key) else {
        return;
    };
    let Some(old) = objects.named_by(before) else {
        return;
    };
    if objects.named_by(after) == Some(old) {
        return;
    }
    match objects.find(old).await {
        Ok(Some(found)) if objects.is_made(&found) => {
            let deleted = objects.delete(old).await;
            tracing::info!(
                scope = id,
                name = old,
                ?deleted,
                "the application has left it"
            );
        }
        _ => {}
    }
}
