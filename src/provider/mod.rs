//! What Terraform sees: the provider block, the resources, data sources, ephemeral resources and functions,
//! one module each.
//!
//! This is the only layer that knows both Terraform and everything below it. It turns values into
//! the model ([`convert`]), asks the pure translator what should be, asks Nomad and the store what
//! is, and answers with plans, states and diagnostics.

pub mod actions;
pub mod application;
pub mod config;
pub mod convert;
pub mod data;
pub mod ephemeral;
pub mod functions;
pub mod limits;
pub mod planned;
pub mod quota;
pub mod scope;
pub mod tenancy;
pub mod tenant;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;

use crate::ahead::Questions;
use crate::http::Endpoint;
use crate::protocol::action::Action;
use crate::protocol::data_source::DataSource;
use crate::protocol::diagnostic::{Diagnostic, Diagnostics};
use crate::protocol::ephemeral::EphemeralResource;
use crate::protocol::function::Function;
use crate::protocol::list_resource::ListResource;
use crate::protocol::path::AttributePath;
use crate::protocol::resource::{self, Resource};
use crate::protocol::schema::Schema;
use crate::protocol::value::Value;
use crate::store::{ApplicationKey, Store};
use crate::translate::Place;
use crate::{consul, nomad, vault};
use config::{DryRun, Location};
use ephemeral::OpenTokens;
use planned::{Planned, PlannedScopes, PlannedTenant, PlannedTenants, Plans};
use scope::ScopeResource;
use scope::data_source::ScopeDataSource;
use scope::kind::Kind;
use tenant::TenantResource;

/// The provider's source, as a configuration names it: in whatever registry is the host's own.
pub const SOURCE: &str = "oam/oam";

type Env = dyn Fn(&str) -> Option<String> + Send + Sync;

/// The provider.
pub struct OamProvider {
    env: Box<Env>,
    servers: Arc<Servers>,
}

/// What the provider block has led to; shared with every resource.
#[derive(Default)]
pub struct Servers {
    state: RwLock<State>,
    planned: PlannedScopes,
    planned_tenants: PlannedTenants,
    replaced: Plans<ApplicationKey>,
    open_tokens: OpenTokens,
}

#[derive(Clone, Default)]
enum State {
    /// No provider block has come yet.
    #[default]
    Unconfigured,
    /// Something in the provider block is known only after an apply.
    Unknown,
    Ready(Arc<Clients>),
}

/// The servers, ready to be spoken to.
pub struct Clients {
    /// Runs the jobs.
    pub nomad: nomad::Client,
    /// Has the tenants' secrets; without it nothing is made in Vault.
    pub vault: Option<Vault>,
    /// Keeps the records.
    pub store: Store,
    /// Where the jobs of applications without a tenant go.
    pub namespace: String,
    /// The region of every job, where it is not the agent's own.
    pub region: Option<String>,
    /// Further clusters by name.
    pub clusters: BTreeMap<String, Cluster>,
    /// Whether a plan asks Nomad what it would do.
    pub dry_run: DryRun,
    /// Whether an error tells the last lines of what a failed task wrote.
    pub failure_logs: bool,
    /// Where all this is, to tell one configuration of the provider from another.
    pub location: Location,
    /// What refreshes have asked of whether anything has changed.
    pub questions: Questions,
}

/// The Vault that tenants' secrets are in.
pub struct Vault {
    /// Speaks to it.
    pub client: vault::Client,
    /// Where the JWT login of Nomad's tasks is mounted, below `auth/`.
    pub auth_path: String,
    /// Where the key-value store with the tenants' secrets is mounted.
    pub secrets_mount: String,
    /// The audience that the tasks' identities have.
    pub audience: String,
}

/// A further Nomad that components may name.
pub struct Cluster {
    /// Runs the jobs there.
    pub nomad: nomad::Client,
    /// Where there.
    pub place: Place,
}

impl Clients {
    /// The Nomad of a cluster, or the provider's own.
    ///
    /// # Errors
    /// Where the provider block has no such cluster.
    pub fn nomad_of(&self, cluster: Option<&str>) -> Result<&nomad::Client, Diagnostic> {
        let Some(name) = cluster else {
            return Ok(&self.nomad);
        };
        let cluster = self.clusters.get(name).ok_or_else(|| {
            Diagnostic::error(
                format!("Unknown cluster {name:?}"),
                "A job is there, and the provider block has no `cluster` block of that name any more. \
                 Add it again, so that the job can be looked after.",
            )
        })?;
        Ok(&cluster.nomad)
    }
}

impl Servers {
    /// The clients, or `None` while the provider block is not wholly known.
    pub fn known(&self) -> Option<Arc<Clients>> {
        match &*self.state.read().unwrap_or_else(PoisonError::into_inner) {
            State::Ready(clients) => Some(Arc::clone(clients)),
            State::Unconfigured | State::Unknown => None,
        }
    }

    /// Whether no value of the provider block that has come is still unknown.
    fn are_known(&self) -> bool {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        !matches!(*state, State::Unknown)
    }

    /// The clients, for work that cannot do without.
    ///
    /// # Errors
    /// A diagnostic that says why there are none.
    pub fn required(&self) -> Result<Arc<Clients>, Diagnostic> {
        self.known().ok_or_else(|| {
            Diagnostic::error(
                "The provider is not configured yet",
                "A value in the provider block is not known before another resource is applied. \
                 Apply that resource first, for example with `-target`.",
            )
        })
    }

    /// What the plan that is being made does to a scope.
    pub fn planned(&self, id: &str) -> Option<Planned> {
        self.planned.get(id)
    }

    /// Notes what the plan that is being made does to a scope.
    pub fn plan(&self, id: &str, planned: Planned) {
        self.planned.set(id, planned);
    }

    /// What the plan that is being made does to tenants.
    pub fn planned_tenants(&self) -> &PlannedTenants {
        &self.planned_tenants
    }

    /// Notes what the plan that is being made does to a tenant.
    pub fn plan_tenant(&self, name: &str, planned: PlannedTenant) {
        self.planned_tenants.set(name, planned);
    }

    /// The applications that the plan that is being made replaces by others, by ID. Terraform plans the
    /// other as a creation, which does not say so.
    pub fn replaced(&self) -> &Plans<ApplicationKey> {
        &self.replaced
    }

    /// The tokens of tenants that are open.
    pub fn open_tokens(&self) -> &OpenTokens {
        &self.open_tokens
    }

    fn set(&self, state: State) {
        // Whatever was planned before belongs to another run.
        self.planned.clear();
        self.planned_tenants.clear();
        self.replaced.clear();
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = state;
    }
}

impl OamProvider {
    /// A provider that reads environment variables through `env`.
    pub fn new(env: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self {
            env: Box::new(env),
            servers: Arc::default(),
        }
    }
}

#[async_trait]
impl resource::Provider for OamProvider {
    fn schema(&self) -> Schema {
        config::schema()
    }

    fn resources(&self) -> Vec<(&'static str, Arc<dyn Resource>)> {
        let application = application::ApplicationResource::new(Arc::clone(&self.servers));
        let mut all: Vec<(&'static str, Arc<dyn Resource>)> =
            vec![("oam_application", Arc::new(application))];
        for kind in Kind::all() {
            let scope = ScopeResource::new(kind, Arc::clone(&self.servers));
            all.push((kind.type_name(), Arc::new(scope)));
        }
        let tenant = TenantResource::new(Arc::clone(&self.servers));
        all.push(("oam_tenant", Arc::new(tenant)));
        all
    }

    fn data_sources(&self) -> Vec<(&'static str, Arc<dyn DataSource>)> {
        let scopes = Kind::all().map(|kind| {
            let scope = ScopeDataSource::new(kind, Arc::clone(&self.servers));
            let scope: Arc<dyn DataSource> = Arc::new(scope);
            (kind.type_name(), scope)
        });
        data::all(&self.servers).into_iter().chain(scopes).collect()
    }

    fn ephemeral_resources(&self) -> Vec<(&'static str, Arc<dyn EphemeralResource>)> {
        ephemeral::all(&self.servers)
    }

    fn functions(&self) -> Vec<(&'static str, Arc<dyn Function>)> {
        functions::all()
    }

    fn list_resources(&self) -> Vec<(&'static str, Arc<dyn ListResource>)> {
        let applications = application::ApplicationList::new(Arc::clone(&self.servers));
        vec![("oam_application", Arc::new(applications))]
    }

    fn actions(&self) -> Vec<(&'static str, Arc<dyn Action>)> {
        actions::all(&self.servers)
    }

    async fn validate(&self, config: &Value) -> Diagnostics {
        // The environment of a validation need not be that of the apply.
        config::read(config, &|_| None).err().unwrap_or_default()
    }

    async fn configure(&self, config: &Value) -> Diagnostics {
        let config = match config::read(config, &self.env) {
            Ok(Some(config)) => config,
            Ok(None) => {
                tracing::info!("the provider block is not wholly known yet: no request is made");
                self.servers.set(State::Unknown);
                return Vec::new();
            }
            Err(diagnostics) => return diagnostics,
        };
        let location = config.location();
        let namespace = config.nomad.namespace.clone();
        let region = config.nomad.region.clone();
        let consul = consul::Client::new(config.consul);
        let places = config.clusters.iter();
        let places = places.map(|(name, cluster)| (name.clone(), cluster.place.clone()));
        let measure = quota::measure(places.collect());
        let store = match Store::new(consul, &config.key_prefix) {
            Ok(store) => store.with_revisions(config.revisions).with_measure(measure),
            Err(error) => {
                let path = AttributePath::new("consul").attribute(error.field);
                return vec![Diagnostic::error(error.summary, error.detail).at(path)];
            }
        };
        let home = nomad::Client::new(config.nomad.clone());
        let clusters = config.clusters.into_iter().map(|(name, cluster)| {
            let endpoint = cluster.endpoint.unwrap_or_else(|| Endpoint {
                region: cluster.place.region.clone(),
                ..config.nomad.clone()
            });
            let nomad = home.beside(endpoint);
            let place = cluster.place;
            (name, Cluster { nomad, place })
        });
        let clusters = clusters.collect();
        self.servers.set(State::Ready(Arc::new(Clients {
            nomad: home,
            vault: config.vault.map(|vault| Vault {
                client: vault::Client::new(vault.endpoint),
                auth_path: vault.auth_path,
                secrets_mount: vault.secrets_mount,
                audience: vault.audience,
            }),
            store,
            namespace: namespace.unwrap_or_else(|| "default".to_owned()),
            region,
            clusters,
            dry_run: config.dry_run,
            failure_logs: config.failure_logs,
            location,
            questions: Questions::default(),
        })));
        Vec::new()
    }

    fn is_config_known(&self) -> bool {
        self.servers.are_known()
    }

    async fn shutdown(&self) {
        if let Some(clients) = self.servers.known() {
            tokio::join!(
                clients.store.close(),
                self.servers.open_tokens().revoke(&clients)
            );
        }
    }
}
