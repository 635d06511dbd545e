//! Each call of `tfplugin6.Provider`.

use std::collections::HashMap;
use std::pin::Pin;

use tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming};

use super::respond::to_wire;
use super::{About, Service, answer, find, functions};
use crate::protocol::diagnostic::{Diagnostic, Diagnostics};
use crate::protocol::resource::{ApplyRequest, PlanRequest, ReadRequest};
use crate::protocol::wire::tfplugin6 as wire;
use crate::protocol::wire::tfplugin6::provider_server::Provider;

type StreamOf<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

const CAPABILITIES: wire::ServerCapabilities = wire::ServerCapabilities {
    // A deletion is planned, too, so that it can be refused before anything is applied.
    plan_destroy: true,
    // No call needs a schema to have been asked for before it.
    get_provider_schema_optional: true,
    move_resource_state: false,
    generate_resource_config: false,
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
            let functions = self.functions.keys().map(|name| {
                let name = (*name).to_owned();
                wire::get_metadata::FunctionMetadata { name }
            });
            Ok(wire::get_metadata::Response {
                server_capabilities: Some(CAPABILITIES),
                resources: resources.collect(),
                data_sources: data_sources.collect(),
                functions: functions.collect(),
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
            let resources = self
                .resources
                .iter()
                .map(|(name, it)| ((*name).to_owned(), it.description().schema.to_wire()));
            let data_sources = self
                .data_sources
                .iter()
                .map(|(name, it)| ((*name).to_owned(), it.description().schema.to_wire()));
            Ok(wire::get_provider_schema::Response {
                provider: Some(self.provider.description().schema.to_wire()),
                resource_schemas: resources.collect(),
                data_source_schemas: data_sources.collect(),
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
            Ok(wire::get_resource_identity_schemas::Response::default())
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
                return Err(newer(request.version, described.schema.version));
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
            let response = resource.it.read(&self.context(), read).await;
            Ok(wire::read_resource::Response {
                new_state: Some(described.encode("state", response.state)?),
                diagnostics: to_wire(&response.diagnostics),
                private: response.private,
                ..Default::default()
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
            let plan = PlanRequest {
                prior: described.decode("state", request.prior_state.as_ref())?,
                proposed: described
                    .decode("proposed state", request.proposed_new_state.as_ref())?,
                config: described.decode("configuration", request.config.as_ref())?,
                private: request.prior_private,
            };
            let response = resource.it.plan(&self.context(), plan).await;
            let paths = response.requires_replace.iter();
            Ok(wire::plan_resource_change::Response {
                planned_state: Some(described.encode("planned state", response.state)?),
                requires_replace: paths.filter_map(|path| path.to_wire()).collect(),
                planned_private: response.private,
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
            let response = resource.it.apply(&self.context(), apply).await;
            Ok(wire::apply_resource_change::Response {
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
            let (state, private) = resource.it.import(&self.context(), &request.id).await?;
            let imported = wire::import_resource_state::ImportedResource {
                type_name: request.type_name.clone(),
                state: Some(resource.description().encode("imported state", state)?),
                private,
                ..Default::default()
            };
            Ok(wire::import_resource_state::Response {
                imported_resources: vec![imported],
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
            let (state, diagnostics) = data_source.it.read(&self.context(), config).await?;
            Ok(wire::read_data_source::Response {
                state: Some(described.encode("state", state)?),
                diagnostics: to_wire(&diagnostics),
                ..Default::default()
            })
        })
        .await
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
        upgrade_resource_identity: wire::upgrade_resource_identity::Request
            => wire::upgrade_resource_identity::Response,
        move_resource_state: wire::move_resource_state::Request
            => wire::move_resource_state::Response,
        generate_resource_config: wire::generate_resource_config::Request
            => wire::generate_resource_config::Response,
        validate_ephemeral_resource_config: wire::validate_ephemeral_resource_config::Request
            => wire::validate_ephemeral_resource_config::Response,
        open_ephemeral_resource: wire::open_ephemeral_resource::Request
            => wire::open_ephemeral_resource::Response,
        renew_ephemeral_resource: wire::renew_ephemeral_resource::Request
            => wire::renew_ephemeral_resource::Response,
        close_ephemeral_resource: wire::close_ephemeral_resource::Request
            => wire::close_ephemeral_resource::Response,
        list_resource: wire::list_resource::Request => Self::ListResourceStream,
        validate_list_resource_config: wire::validate_list_resource_config::Request
            => wire::validate_list_resource_config::Response,
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
        plan_action: wire::plan_action::Request => wire::plan_action::Response,
        invoke_action: wire::invoke_action::Request => Self::InvokeActionStream,
        validate_action_config: wire::validate_action_config::Request
            => wire::validate_action_config::Response,
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

fn flatmap() -> Diagnostics {
    vec![Diagnostic::error(
        "State from before Terraform 0.12",
        "The state is in a form that no version of this provider has written. \
         Remove the object from the state and import it again.",
    )]
}

fn newer(found: i64, ours: i64) -> Diagnostics {
    vec![Diagnostic::error(
        "State from a newer provider",
        format!(
            "The state has schema version {found}, and this provider knows versions up to {ours}. \
             Use at least the provider version that wrote it."
        ),
    )]
}
