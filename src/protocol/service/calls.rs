//! Each call of `tfplugin6.Provider`.

use std::collections::HashMap;
use std::pin::Pin;

use tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming};

use super::respond::to_wire;
use super::{
    About, ByName, Service, actions, answer, deferred, ephemerals, find, functions, identities,
    lists,
};
use crate::protocol::diagnostic::{Diagnostic, Diagnostics, has_error};
use crate::protocol::generate;
use crate::protocol::resource::{ApplyRequest, MoveRequest, PlanRequest, ReadRequest, Unchanged};
use crate::protocol::value::Value;
use crate::protocol::wire::tfplugin6 as wire;
use crate::protocol::wire::tfplugin6::provider_server::Provider;

/// What a streaming call answers.
pub type StreamOf<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

const CAPABILITIES: wire::ServerCapabilities = wire::ServerCapabilities {
    // A deletion is planned, too, so that it can be refused before anything is applied.
    plan_destroy: true,
    // No call needs a schema to have been asked for before it.
    get_provider_schema_optional: true,
    move_resource_state: true,
    generate_resource_config: true,
};

/// The calls that nothing serves yet.
macro_rules! not_served {
    ($($call:ident: $request:ty => $response:ty),+ $(,)?) => {$(
        fn $call<'life0, 'async_trait>(
            &'life0 self,
            _: Request<$request>,
        ) -> Pin<Box<dyn Future<Output = Result<Response<$response>, Status>> + Send + 'async_trait>>
        where
            'life0: 'async_trait,
            Self: 'async_trait,
        {
            let message = concat!("this provider does not serve ", stringify!($call));
            Box::pin(std::future::ready(Err(Status::unimplemented(message))))
        }
    )+};
}

#[tonic::async_trait]
impl Provider for Service {
    async fn get_metadata(
        &self,
        _: Request<wire::get_metadata::Request>,
    ) -> Result<Response<wire::get_metadata::Response>, Status> {
        answer("GetMetadata", About::Provider, async {
            let resources = self.resources.keys().map(|name| {
                let type_name = (*name).to_owned();
                wire::get_metadata::ResourceMetadata { type_name }
            });
            let data_sources = self.data_sources.keys().map(|name| {
                let type_name = (*name).to_owned();
                wire::get_metadata::DataSourceMetadata { type_name }
            });
            let ephemeral_resources = self.ephemeral_resources.keys().map(|name| {
                let type_name = (*name).to_owned();
                wire::get_metadata::EphemeralMetadata { type_name }
            });
            let functions = self.functions.keys().map(|name| {
                let name = (*name).to_owned();
                wire::get_metadata::FunctionMetadata { name }
            });
            let list_resources = self.list_resources.keys().map(|name| {
                let type_name = (*name).to_owned();
                wire::get_metadata::ListResourceMetadata { type_name }
            });
            let actions = self.actions.keys().map(|name| {
                let type_name = (*name).to_owned();
                wire::get_metadata::ActionMetadata { type_name }
            });
            Ok(wire::get_metadata::Response {
                server_capabilities: Some(CAPABILITIES),
                resources: resources.collect(),
                data_sources: data_sources.collect(),
                ephemeral_resources: ephemeral_resources.collect(),
                functions: functions.collect(),
                list_resources: list_resources.collect(),
                actions: actions.collect(),
                ..Default::default()
            })
        })
        .await
    }

    async fn get_provider_schema(
        &self,
        _: Request<wire::get_provider_schema::Request>,
    ) -> Result<Response<wire::get_provider_schema::Response>, Status> {
        answer("GetProviderSchema", About::Provider, async {
            let actions = self.actions.iter().map(|(name, it)| {
                let schema = Some(it.description().schema.to_wire());
                ((*name).to_owned(), wire::ActionSchema { schema })
            });
            Ok(wire::get_provider_schema::Response {
                provider: Some(self.provider.description().schema.to_wire()),
                resource_schemas: schemas(&self.resources),
                data_source_schemas: schemas(&self.data_sources),
                ephemeral_resource_schemas: schemas(&self.ephemeral_resources),
                list_resource_schemas: schemas(&self.list_resources),
                action_schemas: actions.collect(),
                functions: self.signatures(),
                server_capabilities: Some(CAPABILITIES),
                ..Default::default()
            })
        })
        .await
    }

    async fn get_functions(
        &self,
        _: Request<wire::get_functions::Request>,
    ) -> Result<Response<wire::get_functions::Response>, Status> {
        answer("GetFunctions", About::Provider, async {
            Ok(wire::get_functions::Response {
                functions: self.signatures(),
                ..Default::default()
            })
        })
        .await
    }

    async fn get_resource_identity_schemas(
        &self,
        _: Request<wire::get_resource_identity_schemas::Request>,
    ) -> Result<Response<wire::get_resource_identity_schemas::Response>, Status> {
        answer("GetResourceIdentitySchemas", About::Provider, async {
            Ok(wire::get_resource_identity_schemas::Response {
                identity_schemas: self.identity_schemas(),
                ..Default::default()
            })
        })
        .await
    }

    async fn validate_provider_config(
        &self,
        request: Request<wire::validate_provider_config::Request>,
    ) -> Result<Response<wire::validate_provider_config::Response>, Status> {
        let request = request.into_inner();
        answer("ValidateProviderConfig", About::Provider, async {
            let described = self.provider.description();
            let config = described.decode("configuration", request.config.as_ref())?;
            let diagnostics = self.provider.it.validate(&config).await;
            Ok(wire::validate_provider_config::Response {
                diagnostics: to_wire(&diagnostics),
            })
        })
        .await
    }

    async fn configure_provider(
        &self,
        request: Request<wire::configure_provider::Request>,
    ) -> Result<Response<wire::configure_provider::Response>, Status> {
        let request = request.into_inner();
        answer("ConfigureProvider", About::Provider, async {
            tracing::debug!(terraform_version = request.terraform_version, "configuring");
            let described = self.provider.description();
            let config = described.decode("configuration", request.config.as_ref())?;
            let diagnostics = self.provider.it.configure(&config).await;
            Ok(wire::configure_provider::Response {
                diagnostics: to_wire(&diagnostics),
            })
        })
        .await
    }

    async fn validate_resource_config(
        &self,
        request: Request<wire::validate_resource_config::Request>,
    ) -> Result<Response<wire::validate_resource_config::Response>, Status> {
        let request = request.into_inner();
        let about = About::Resource(&request.type_name);
        answer("ValidateResourceConfig", about, async {
            let resource = self.resource(&request.type_name)?;
            let config = resource
                .description()
                .decode("configuration", request.config.as_ref())?;
            let diagnostics = resource.it.validate(&config).await;
            Ok(wire::validate_resource_config::Response {
                diagnostics: to_wire(&diagnostics),
            })
        })
        .await
    }

    async fn upgrade_resource_state(
        &self,
        request: Request<wire::upgrade_resource_state::Request>,
    ) -> Result<Response<wire::upgrade_resource_state::Response>, Status> {
        let request = request.into_inner();
        let about = About::Resource(&request.type_name);
        answer("UpgradeResourceState", about, async {
            let resource = self.resource(&request.type_name)?;
            let described = resource.description();
            let raw = request.raw_state.unwrap_or_default();
            if raw.json.is_empty() {
                return Err(flatmap());
            }
            let state = if request.version == described.schema.version {
                crate::protocol::value::json::decode(&raw.json, &described.ty)
                    .map_err(|error| vec![Diagnostic::from_value_error("state", &error)])?
            } else if request.version > described.schema.version {
                return Err(newer("state", request.version, described.schema.version));
            } else {
                resource.it.upgrade(request.version, &raw.json)?
            };
            Ok(wire::upgrade_resource_state::Response {
                upgraded_state: Some(described.encode("upgraded state", state)?),
                ..Default::default()
            })
        })
        .await
    }

    async fn read_resource(
        &self,
        request: Request<wire::read_resource::Request>,
    ) -> Result<Response<wire::read_resource::Response>, Status> {
        let request = request.into_inner();
        let about = About::Resource(&request.type_name);
        answer("ReadResource", about, async {
            let resource = self.resource(&request.type_name)?;
            let described = resource.description();
            let read = ReadRequest {
                state: described.decode("state", request.current_state.as_ref())?,
                private: request.private,
            };
            let cx = self.context(request.client_capabilities);
            if self.has_to_wait(&cx) {
                return Ok(wire::read_resource::Response {
                    new_state: request.current_state,
                    private: read.private,
                    deferred: deferred(&cx),
                    new_identity: request.current_identity,
                    ..Default::default()
                });
            }
            let response = resource.it.read(&cx, read).await;
            let identity = resource.it.identify(&response.state);
            Ok(wire::read_resource::Response {
                new_identity: described.encode_identity(&identity)?,
                deferred: deferred(&cx),
                new_state: match response.same {
                    true => request.current_state,
                    false => Some(described.encode("state", response.state)?),
                },
                diagnostics: to_wire(&response.diagnostics),
                private: response.private,
            })
        })
        .await
    }

    async fn plan_resource_change(
        &self,
        request: Request<wire::plan_resource_change::Request>,
    ) -> Result<Response<wire::plan_resource_change::Response>, Status> {
        let request = request.into_inner();
        let about = About::Resource(&request.type_name);
        answer("PlanResourceChange", about, async {
            let resource = self.resource(&request.type_name)?;
            let described = resource.description();
            let cx = self.context(request.client_capabilities);
            self.has_to_wait(&cx);
            let prior = described.decode("state", request.prior_state.as_ref())?;
            let config = described.decode("configuration", request.config.as_ref())?;
            let private = request.prior_private;
            let proposed = match request.proposed_new_state == request.prior_state {
                true => {
                    let state = Unchanged {
                        state: &prior,
                        config: &config,
                        private: &private,
                    };
                    if resource.it.is_as_it_was(&cx, state).await {
                        let identity = resource.it.identify(&prior);
                        return Ok(wire::plan_resource_change::Response {
                            planned_state: request.prior_state,
                            planned_private: private,
                            planned_identity: described.encode_identity(&identity)?,
                            ..Default::default()
                        });
                    }
                    prior.clone()
                }
                false => described.decode("proposed state", request.proposed_new_state.as_ref())?,
            };
            let plan = PlanRequest {
                prior,
                proposed,
                config,
                private,
            };
            let response = resource.it.plan(&cx, plan).await;
            let identity = resource.it.identify(&response.state);
            let paths = response.requires_replace.iter();
            Ok(wire::plan_resource_change::Response {
                planned_state: Some(described.encode("planned state", response.state)?),
                requires_replace: paths.filter_map(|path| path.to_wire()).collect(),
                planned_private: response.private,
                deferred: deferred(&cx),
                planned_identity: described.encode_identity(&identity)?,
                diagnostics: to_wire(&response.diagnostics),
                ..Default::default()
            })
        })
        .await
    }

    async fn apply_resource_change(
        &self,
        request: Request<wire::apply_resource_change::Request>,
    ) -> Result<Response<wire::apply_resource_change::Response>, Status> {
        let request = request.into_inner();
        let planned_state = request.planned_state.clone();
        let prior_state = request.prior_state.clone();
        let identity = request.planned_identity.clone();
        let about = About::Resource(&request.type_name);
        let result = answer("ApplyResourceChange", about, async {
            let resource = self.resource(&request.type_name)?;
            let described = resource.description();
            let apply = ApplyRequest {
                prior: described.decode("state", request.prior_state.as_ref())?,
                planned: described.decode("planned state", request.planned_state.as_ref())?,
                config: described.decode("configuration", request.config.as_ref())?,
                private: request.planned_private,
            };
            let before = apply.planned.is_null().then(|| ReadRequest {
                state: apply.prior.clone(),
                private: apply.private.clone(),
            });
            let cx = self.context(None);
            let mut response = resource.it.apply(&cx, apply).await;
            // A deletion that was refused: the next plan goes by what there is now. Terraform 1.11 plans to delete
            // what is no longer in the configuration with what was kept from before its refresh.
            if let Some(before) = before
                && has_error(&response.diagnostics)
                && response.private == before.private
                && !cx.cancel.is_cancelled()
            {
                let now = resource.it.read(&cx, before).await;
                if !now.state.is_null() && !has_error(&now.diagnostics) {
                    (response.state, response.private) = (now.state, now.private);
                }
            }
            let identity = resource.it.identify(&response.state);
            Ok(wire::apply_resource_change::Response {
                new_identity: described.encode_identity(&identity)?,
                new_state: Some(described.encode("new state", response.state)?),
                private: response.private,
                diagnostics: to_wire(&response.diagnostics),
                ..Default::default()
            })
        })
        .await;
        // Terraform forgets an object whose apply answers without a state: keep what it had.
        result.map(|mut response| {
            let inner = response.get_mut();
            if inner.new_state.is_none() && planned_state.is_some() {
                inner.new_state = prior_state;
                inner.new_identity = identity;
            }
            response
        })
    }

    async fn import_resource_state(
        &self,
        request: Request<wire::import_resource_state::Request>,
    ) -> Result<Response<wire::import_resource_state::Response>, Status> {
        let request = request.into_inner();
        let about = About::Resource(&request.type_name);
        answer("ImportResourceState", about, async {
            let resource = self.resource(&request.type_name)?;
            let cx = self.context(request.client_capabilities);
            if self.has_to_wait(&cx) {
                return Ok(wire::import_resource_state::Response {
                    deferred: deferred(&cx),
                    ..Default::default()
                });
            }
            let id = identities::import_id(resource, &request.id, request.identity.as_ref())?;
            let (state, private) = resource.it.import(&cx, &id).await?;
            let described = resource.description();
            let identity = resource.it.identify(&state);
            let imported = wire::import_resource_state::ImportedResource {
                type_name: request.type_name.clone(),
                identity: described.encode_identity(&identity)?,
                state: Some(described.encode("imported state", state)?),
                private,
            };
            Ok(wire::import_resource_state::Response {
                imported_resources: vec![imported],
                deferred: deferred(&cx),
                ..Default::default()
            })
        })
        .await
    }

    async fn validate_data_resource_config(
        &self,
        request: Request<wire::validate_data_resource_config::Request>,
    ) -> Result<Response<wire::validate_data_resource_config::Response>, Status> {
        let request = request.into_inner();
        let about = About::DataSource(&request.type_name);
        answer("ValidateDataResourceConfig", about, async {
            let data_source = self.data_source(&request.type_name)?;
            let described = data_source.description();
            let config = described.decode("configuration", request.config.as_ref())?;
            let diagnostics = data_source.it.validate(&config).await;
            Ok(wire::validate_data_resource_config::Response {
                diagnostics: to_wire(&diagnostics),
            })
        })
        .await
    }

    async fn read_data_source(
        &self,
        request: Request<wire::read_data_source::Request>,
    ) -> Result<Response<wire::read_data_source::Response>, Status> {
        let request = request.into_inner();
        let about = About::DataSource(&request.type_name);
        answer("ReadDataSource", about, async {
            let data_source = self.data_source(&request.type_name)?;
            let described = data_source.description();
            let config = described.decode("configuration", request.config.as_ref())?;
            let cx = self.context(request.client_capabilities);
            if self.has_to_wait(&cx) {
                return Ok(wire::read_data_source::Response {
                    state: Some(described.encode("state", Value::UNKNOWN)?),
                    deferred: deferred(&cx),
                    ..Default::default()
                });
            }
            let (state, diagnostics) = data_source.it.read(&cx, config).await?;
            Ok(wire::read_data_source::Response {
                deferred: deferred(&cx),
                state: Some(described.encode("state", state)?),
                diagnostics: to_wire(&diagnostics),
            })
        })
        .await
    }

    async fn validate_ephemeral_resource_config(
        &self,
        request: Request<wire::validate_ephemeral_resource_config::Request>,
    ) -> Result<Response<wire::validate_ephemeral_resource_config::Response>, Status> {
        let request = request.into_inner();
        let about = About::Ephemeral(&request.type_name);
        answer("ValidateEphemeralResourceConfig", about, async {
            let resource = self.ephemeral(&request.type_name)?;
            let config = resource
                .description()
                .decode("configuration", request.config.as_ref())?;
            let diagnostics = resource.it.validate(&config).await;
            Ok(wire::validate_ephemeral_resource_config::Response {
                diagnostics: to_wire(&diagnostics),
            })
        })
        .await
    }

    async fn open_ephemeral_resource(
        &self,
        request: Request<wire::open_ephemeral_resource::Request>,
    ) -> Result<Response<wire::open_ephemeral_resource::Response>, Status> {
        let request = request.into_inner();
        let name = request.type_name.clone();
        let open = ephemerals::open(self, request);
        answer("OpenEphemeralResource", About::Ephemeral(&name), open).await
    }

    async fn renew_ephemeral_resource(
        &self,
        request: Request<wire::renew_ephemeral_resource::Request>,
    ) -> Result<Response<wire::renew_ephemeral_resource::Response>, Status> {
        let request = request.into_inner();
        let name = request.type_name.clone();
        let renew = ephemerals::renew(self, request);
        answer("RenewEphemeralResource", About::Ephemeral(&name), renew).await
    }

    async fn close_ephemeral_resource(
        &self,
        request: Request<wire::close_ephemeral_resource::Request>,
    ) -> Result<Response<wire::close_ephemeral_resource::Response>, Status> {
        let request = request.into_inner();
        let name = request.type_name.clone();
        let close = ephemerals::close(self, request);
        answer("CloseEphemeralResource", About::Ephemeral(&name), close).await
    }

    async fn call_function(
        &self,
        request: Request<wire::call_function::Request>,
    ) -> Result<Response<wire::call_function::Response>, Status> {
        let request = request.into_inner();
        let about = About::Function(&request.name);
        answer("CallFunction", about, async {
            let function = find(&self.functions, "function", &request.name)?;
            let result = functions::call(&*function.it, function.description(), &request.arguments);
            let (result, error) = match result {
                Ok(result) => (Some(result), None),
                Err(error) => (None, Some(error.to_wire())),
            };
            Ok(wire::call_function::Response { result, error })
        })
        .await
    }

    async fn upgrade_resource_identity(
        &self,
        request: Request<wire::upgrade_resource_identity::Request>,
    ) -> Result<Response<wire::upgrade_resource_identity::Response>, Status> {
        let request = request.into_inner();
        let about = About::Resource(&request.type_name);
        answer("UpgradeResourceIdentity", about, async {
            let resource = self.resource(&request.type_name)?;
            let raw = request.raw_identity.unwrap_or_default();
            let identity = identities::upgrade(resource, request.version, &raw.json)?;
            Ok(wire::upgrade_resource_identity::Response {
                upgraded_identity: resource.description().encode_identity(&identity)?,
                ..Default::default()
            })
        })
        .await
    }

    async fn move_resource_state(
        &self,
        request: Request<wire::move_resource_state::Request>,
    ) -> Result<Response<wire::move_resource_state::Response>, Status> {
        let request = request.into_inner();
        let about = About::Resource(&request.target_type_name);
        answer("MoveResourceState", about, async {
            let resource = self.resource(&request.target_type_name)?;
            let source = MoveRequest {
                provider: request.source_provider_address,
                type_name: request.source_type_name,
                version: request.source_schema_version,
                state: request.source_state.unwrap_or_default().json,
                private: request.source_private,
                identity: request.source_identity.unwrap_or_default().json,
            };
            let moved = resource.it.move_state(&source)?;
            let (state, private) =
                moved.ok_or_else(|| not_moved(&source, &request.target_type_name))?;
            let described = resource.description();
            let identity = resource.it.identify(&state);
            Ok(wire::move_resource_state::Response {
                target_identity: described.encode_identity(&identity)?,
                target_state: Some(described.encode("moved state", state)?),
                target_private: private,
                ..Default::default()
            })
        })
        .await
    }

    async fn generate_resource_config(
        &self,
        request: Request<wire::generate_resource_config::Request>,
    ) -> Result<Response<wire::generate_resource_config::Response>, Status> {
        let request = request.into_inner();
        let about = About::Resource(&request.type_name);
        answer("GenerateResourceConfig", about, async {
            let resource = self.resource(&request.type_name)?;
            let described = resource.description();
            let state = described.decode("state", request.state.as_ref())?;
            let config = generate::config_of(&described.schema, &state);
            let config = resource.it.generate(&state, config);
            Ok(wire::generate_resource_config::Response {
                config: Some(described.encode("configuration", config)?),
                ..Default::default()
            })
        })
        .await
    }

    async fn validate_list_resource_config(
        &self,
        request: Request<wire::validate_list_resource_config::Request>,
    ) -> Result<Response<wire::validate_list_resource_config::Response>, Status> {
        let request = request.into_inner();
        let about = About::Resource(&request.type_name);
        answer("ValidateListResourceConfig", about, async {
            let list = self.list_of(&request.type_name)?;
            let config = list
                .description()
                .decode("configuration", request.config.as_ref())?;
            let diagnostics = list.it.validate(&config).await;
            Ok(wire::validate_list_resource_config::Response {
                diagnostics: to_wire(&diagnostics),
            })
        })
        .await
    }

    async fn list_resource(
        &self,
        request: Request<wire::list_resource::Request>,
    ) -> Result<Response<Self::ListResourceStream>, Status> {
        Ok(Response::new(lists::list(self, request.into_inner())))
    }

    async fn validate_action_config(
        &self,
        request: Request<wire::validate_action_config::Request>,
    ) -> Result<Response<wire::validate_action_config::Response>, Status> {
        let request = request.into_inner();
        let about = About::Action(&request.type_name);
        answer("ValidateActionConfig", about, async {
            let action = self.action(&request.type_name)?;
            let config = action
                .description()
                .decode("configuration", request.config.as_ref())?;
            let diagnostics = action.it.validate(&config).await;
            Ok(wire::validate_action_config::Response {
                diagnostics: to_wire(&diagnostics),
            })
        })
        .await
    }

    async fn plan_action(
        &self,
        request: Request<wire::plan_action::Request>,
    ) -> Result<Response<wire::plan_action::Response>, Status> {
        let request = request.into_inner();
        let about = About::Action(&request.action_type);
        answer("PlanAction", about, async {
            let action = self.action(&request.action_type)?;
            let config = action
                .description()
                .decode("configuration", request.config.as_ref())?;
            let cx = self.context(request.client_capabilities);
            if self.has_to_wait(&cx) {
                return Ok(wire::plan_action::Response {
                    deferred: deferred(&cx),
                    ..Default::default()
                });
            }
            let diagnostics = action.it.plan(&cx, &config).await;
            Ok(wire::plan_action::Response {
                diagnostics: to_wire(&diagnostics),
                deferred: deferred(&cx),
            })
        })
        .await
    }

    async fn invoke_action(
        &self,
        request: Request<wire::invoke_action::Request>,
    ) -> Result<Response<Self::InvokeActionStream>, Status> {
        Ok(Response::new(actions::invoke(self, request.into_inner())))
    }

    async fn stop_provider(
        &self,
        _: Request<wire::stop_provider::Request>,
    ) -> Result<Response<wire::stop_provider::Response>, Status> {
        answer("StopProvider", About::Provider, async {
            tracing::info!("the user wants to stop: cancelling what is under way");
            self.stop();
            Ok(wire::stop_provider::Response::default())
        })
        .await
    }

    type ListResourceStream = StreamOf<wire::list_resource::Event>;
    type ReadStateBytesStream = StreamOf<wire::read_state_bytes::Response>;
    type InvokeActionStream = StreamOf<wire::invoke_action::Event>;

    not_served! {
        validate_state_store_config: wire::validate_state_store::Request
            => wire::validate_state_store::Response,
        configure_state_store: wire::configure_state_store::Request
            => wire::configure_state_store::Response,
        read_state_bytes: wire::read_state_bytes::Request => Self::ReadStateBytesStream,
        write_state_bytes: Streaming<wire::write_state_bytes::RequestChunk>
            => wire::write_state_bytes::Response,
        lock_state: wire::lock_state::Request => wire::lock_state::Response,
        unlock_state: wire::unlock_state::Request => wire::unlock_state::Response,
        get_states: wire::get_states::Request => wire::get_states::Response,
        delete_state: wire::delete_state::Request => wire::delete_state::Response,
    }
}

impl Service {
    fn signatures(&self) -> HashMap<String, wire::Function> {
        self.functions
            .iter()
            .map(|(name, it)| ((*name).to_owned(), it.description().to_wire()))
            .collect()
    }
}

/// The schemas of several things by their names.
fn schemas<T: ?Sized>(all: &ByName<T>) -> HashMap<String, wire::Schema> {
    all.iter()
        .map(|(name, it)| ((*name).to_owned(), it.description().schema.to_wire()))
        .collect()
}

fn not_moved(source: &MoveRequest, target: &str) -> Diagnostics {
    vec![Diagnostic::error(
        "Unsupported move",
        format!(
            "A state of {} of the provider {} cannot become one of {target}. Remove the `moved` block, \
             and import the object instead.",
            source.type_name, source.provider
        ),
    )]
}

fn flatmap() -> Diagnostics {
    vec![Diagnostic::error(
        "State from before Terraform 0.12",
        "The state is in a form that no version of this provider has written. \
         Remove the object from the state and import it again.",
    )]
}

/// A state or an identity, `what`, that this version cannot know.
pub fn newer(what: &str, found: i64, ours: i64) -> Diagnostics {
    let title = match what {
        "identity" => "Identity from a newer provider",
        _ => "State from a newer provider",
    };
    vec![Diagnostic::error(
        title,
        format!(
            "The {what} has schema version {found}, and this provider knows versions up to {ours}. \
             Use at least the provider version that wrote it."
        ),
    )]
}
