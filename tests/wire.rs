//! Calls that no released Terraform of these tests makes yet, made as a newer one would: through the
//! real binary, on the real Nomad and Consul. Every test has records of its own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "wire/actions.rs"]
mod actions;
#[path = "wire/ephemerals.rs"]
mod ephemerals;
#[path = "support/plugin.rs"]
mod plugin;
#[path = "support/mod.rs"]
mod support;

use oam_provider::oam::def;
use oam_provider::protocol::path::AttributePath;
use oam_provider::protocol::resource::Provider as _;
use oam_provider::protocol::value::{Type, Value, dynamic, json as json_value, msgpack};
use oam_provider::protocol::wire::tfplugin6 as wire;
use oam_provider::protocol::wire::tfplugin6::deferred::Reason;
use oam_provider::protocol::wire::tfplugin6::provider_client::ProviderClient;
use oam_provider::provider::{OamProvider, convert};
use plugin::Plugin;
use serde_json::{Value as Json, json};
use support::{Servers, servers};
use tonic::transport::Channel;

const NAME: &str = "oam_application";

/// A provider, and the types of what it is sent.
struct Host {
    client: ProviderClient<Channel>,
    ty: Type,
    _plugin: Plugin,
}

/// What is kept of an object.
#[derive(Clone, Debug, PartialEq)]
struct Object {
    state: Value,
    private: Vec<u8>,
    identity: Option<wire::ResourceIdentityData>,
}

type Said = Vec<wire::Diagnostic>;

impl Host {
    /// One that is configured for these servers, with a key prefix.
    async fn new(servers: &Servers, prefix: &str) -> Self {
        Self::with(json!({
            "nomad": { "address": servers.nomad.address },
            "consul": { "address": servers.consul.address, "key_prefix": prefix },
        }))
        .await
    }

    async fn with(block: Json) -> Self {
        let provider = OamProvider::new(|_| None);
        let block = value(&block, &provider.schema().implied_type());
        Self::configured(block).await
    }

    async fn configured(block: Value) -> Self {
        let provider = OamProvider::new(|_| None);
        let plugin = Plugin::start(None);
        let channel = plugin.connect(None).await.unwrap();
        let mut client = ProviderClient::new(channel);
        let ty = provider.schema().implied_type();
        let request = wire::configure_provider::Request {
            config: Some(wired(&block, &ty)),
            ..Default::default()
        };
        let response = client.configure_provider(request).await.unwrap();
        assert_eq!(response.into_inner().diagnostics, []);
        let (_, application) = provider.resources().remove(0);
        Self {
            client,
            ty: application.schema().implied_type(),
            _plugin: plugin,
        }
    }

    /// A configuration of an application, as Terraform fills it up.
    fn config(&self, config: &Json) -> Value {
        let mut config = value(config, &self.ty);
        convert::complete(&mut config, def::application());
        config
    }

    fn wired(&self, value: &Value) -> Option<wire::DynamicValue> {
        Some(wired(value, &self.ty))
    }

    fn unwired(&self, value: Option<&wire::DynamicValue>) -> Value {
        msgpack::decode(&value.unwrap().msgpack, &self.ty).unwrap()
    }

    async fn plan(
        &mut self,
        prior: &Object,
        config: &Value,
    ) -> wire::plan_resource_change::Response {
        self.plan_as(prior, config, false).await
    }

    async fn plan_as(
        &mut self,
        prior: &Object,
        config: &Value,
        deferral_allowed: bool,
    ) -> wire::plan_resource_change::Response {
        let request = wire::plan_resource_change::Request {
            type_name: NAME.to_owned(),
            prior_state: self.wired(&prior.state),
            proposed_new_state: self.wired(&proposed(prior, config)),
            config: self.wired(config),
            prior_private: prior.private.clone(),
            prior_identity: prior.identity.clone(),
            client_capabilities: Some(wire::ClientCapabilities {
                deferral_allowed,
                ..Default::default()
            }),
            ..Default::default()
        };
        let response = self.client.plan_resource_change(request).await.unwrap();
        response.into_inner()
    }

    /// Applies what a plan says.
    async fn apply_plan(
        &mut self,
        prior: &Object,
        config: &Value,
        plan: wire::plan_resource_change::Response,
    ) -> (Object, Said) {
        let request = wire::apply_resource_change::Request {
            type_name: NAME.to_owned(),
            prior_state: self.wired(&prior.state),
            planned_state: plan.planned_state,
            config: self.wired(config),
            planned_private: plan.planned_private,
            planned_identity: plan.planned_identity,
            ..Default::default()
        };
        let response = self.client.apply_resource_change(request).await.unwrap();
        let response = response.into_inner();
        let object = Object {
            state: self.unwired(response.new_state.as_ref()),
            private: response.private,
            identity: response.new_identity,
        };
        (object, response.diagnostics)
    }

    /// Plans and applies, both of which must succeed.
    async fn apply(&mut self, prior: &Object, config: &Value) -> Object {
        let plan = self.plan(prior, config).await;
        assert_eq!(errors(&plan.diagnostics), Vec::<String>::new());
        let (object, said) = self.apply_plan(prior, config, plan).await;
        assert_eq!(errors(&said), Vec::<String>::new());
        object
    }

    async fn read(&mut self, object: &Object) -> Object {
        let request = wire::read_resource::Request {
            type_name: NAME.to_owned(),
            current_state: self.wired(&object.state),
            private: object.private.clone(),
            current_identity: object.identity.clone(),
            ..Default::default()
        };
        let response = self.client.read_resource(request).await.unwrap();
        let response = response.into_inner();
        assert_eq!(response.diagnostics, []);
        Object {
            state: self.unwired(response.new_state.as_ref()),
            private: response.private,
            identity: response.new_identity,
        }
    }

    async fn import(&mut self, id: &str, by: Option<Json>) -> Result<Object, String> {
        let request = wire::import_resource_state::Request {
            type_name: NAME.to_owned(),
            id: id.to_owned(),
            identity: by.map(|by| identity(&by)),
            ..Default::default()
        };
        let response = self.client.import_resource_state(request).await.unwrap();
        let response = response.into_inner();
        if let Some(first) = response.diagnostics.first() {
            return Err(first.summary.clone());
        }
        let [imported] = &response.imported_resources[..] else {
            panic!("{response:?}")
        };
        Ok(Object {
            state: self.unwired(imported.state.as_ref()),
            private: imported.private.clone(),
            identity: imported.identity.clone(),
        })
    }

    async fn generate(&mut self, state: &Value) -> Value {
        let request = wire::generate_resource_config::Request {
            type_name: NAME.to_owned(),
            state: self.wired(state),
        };
        let response = self.client.generate_resource_config(request).await.unwrap();
        let response = response.into_inner();
        assert_eq!(response.diagnostics, []);
        self.unwired(response.config.as_ref())
    }

    async fn list(
        &mut self,
        config: Json,
        limit: i64,
        include_resource_object: bool,
    ) -> Vec<wire::list_resource::Event> {
        let provider = OamProvider::new(|_| None);
        let (_, list) = provider.list_resources().remove(0);
        let ty = list.schema().implied_type();
        let request = wire::list_resource::Request {
            type_name: NAME.to_owned(),
            config: Some(wired(&value(&config, &ty), &ty)),
            include_resource_object,
            limit,
        };
        let mut stream = self
            .client
            .list_resource(request)
            .await
            .unwrap()
            .into_inner();
        let mut events = Vec::new();
        while let Some(event) = stream.message().await.unwrap() {
            events.push(event);
        }
        events
    }

    async fn move_job(&mut self, state: &Json) -> Result<Object, String> {
        let request = wire::move_resource_state::Request {
            source_provider_address: "example.com/hashicorp/nomad".to_owned(),
            source_type_name: "nomad_job".to_owned(),
            source_state: Some(wire::RawState {
                json: state.to_string().into_bytes(),
                ..Default::default()
            }),
            target_type_name: NAME.to_owned(),
            ..Default::default()
        };
        let response = self.client.move_resource_state(request).await.unwrap();
        let response = response.into_inner();
        if let Some(first) = response.diagnostics.first() {
            return Err(first.summary.clone());
        }
        Ok(Object {
            state: self.unwired(response.target_state.as_ref()),
            private: response.target_private,
            identity: response.target_identity,
        })
    }

    /// Moves a job and refreshes the state, as Terraform does before it plans.
    async fn moved(&mut self, state: &Json) -> Object {
        let moved = self.move_job(state).await.unwrap();
        self.read(&moved).await
    }
}

fn value(json: &Json, ty: &Type) -> Value {
    json_value::decode(json.to_string().as_bytes(), ty).unwrap()
}

fn wired(value: &Value, ty: &Type) -> wire::DynamicValue {
    wire::DynamicValue {
        msgpack: msgpack::encode(value, ty).unwrap(),
        json: Vec::new(),
    }
}

fn identity_type() -> Type {
    Type::object([("tenant", Type::String), ("name", Type::String)])
}

fn identity(json: &Json) -> wire::ResourceIdentityData {
    let ty = identity_type();
    wire::ResourceIdentityData {
        identity_data: Some(wired(&value(json, &ty), &ty)),
    }
}

/// What Terraform proposes: the configuration, and of the state before what only the provider sets.
fn proposed(prior: &Object, config: &Value) -> Value {
    let mut proposed = config.clone();
    if let Some(entries) = proposed.as_map_mut() {
        for (name, value) in entries {
            let computed = [
                "id",
                "revision",
                "status",
                "jobs",
                "drift",
                "applied_scopes",
                "name",
            ];
            if value.is_null() && computed.contains(&name.as_str()) {
                *value = match prior.state.get(name) {
                    Value::Null if prior.state.is_null() => Value::UNKNOWN,
                    before => before.clone(),
                };
            }
        }
    }
    proposed
}

fn errors(said: &[wire::Diagnostic]) -> Vec<String> {
    let errors = said.iter().filter(|it| it.severity == 1);
    errors.map(|it| it.summary.clone()).collect()
}

fn plain(value: &Value) -> Json {
    dynamic::to_json(value).unwrap()
}

const NOTHING: Object = Object {
    state: Value::Null,
    private: Vec::new(),
    identity: None,
};

/// An application of one component that is registered and never runs by itself.
fn yearly(name: &str, tenant: Option<&str>) -> Json {
    json!({
        "name": name,
        "tenant": tenant,
        "component": { "job": {
            "type": "cron-task", "schedule": "0 0 1 1 *",
            "driver": "raw_exec", "command": ["/bin/true"], "env": { "A": "1" },
        } },
    })
}

/// A job that Nomad's own provider may have registered.
fn job(id: &str, more: &Json) -> Json {
    let mut job = json!({
        "ID": id, "Name": id, "Type": "service", "Datacenters": ["*"],
        "TaskGroups": [{ "Name": "group", "Count": 1, "Tasks": [{
            "Name": "task", "Driver": "raw_exec",
            "Config": { "command": "/bin/sleep", "args": ["100000"] },
            "Resources": { "CPU": 20, "MemoryMB": 20 },
        }] }],
    });
    for (name, value) in more.as_object().unwrap() {
        job[name] = value.clone();
    }
    job
}

fn worker(name: &str) -> Json {
    json!({
        "name": name,
        "component": { "web": {
            "type": "worker", "driver": "raw_exec", "command": ["/bin/sleep", "100000"],
        } },
    })
}

#[tokio::test]
async fn an_application_keeps_its_identity_and_is_imported_by_it() {
    let mut host = Host::new(servers(), "wire-identity").await;
    let request = wire::get_resource_identity_schemas::Request {};
    let schemas = host.client.get_resource_identity_schemas(request).await;
    let schemas = schemas.unwrap().into_inner().identity_schemas;
    let names = schemas[NAME].identity_attributes.iter();
    let names: Vec<_> = names
        .map(|it| (&*it.name, it.required_for_import, it.optional_for_import))
        .collect();
    assert_eq!(names, [("tenant", false, true), ("name", true, false)]);

    let config = host.config(&yearly("ident", None));
    let plan = host.plan(&NOTHING, &config).await;
    let want = identity(&json!({ "tenant": "default", "name": "ident" }));
    assert_eq!(plan.planned_identity, Some(want.clone()));
    let made = host.apply(&NOTHING, &config).await;
    assert_eq!(made.identity, Some(want.clone()));
    let read = host.read(&made).await;
    assert_eq!(read.identity, Some(want.clone()));

    for by in [
        json!({ "name": "ident" }),
        json!({ "tenant": "default", "name": "ident" }),
    ] {
        let imported = host.import("", Some(by)).await.unwrap();
        assert_eq!(imported.identity, Some(want.clone()));
        assert_eq!(
            imported.state,
            host.import("ident", None).await.unwrap().state
        );
    }
    for (by, summary) in [
        (json!({ "name": "nobody" }), "No such application"),
        (json!({ "tenant": "default" }), "Incomplete identity"),
        (json!({ "name": "a/b" }), "Unreadable import identity"),
    ] {
        assert_eq!(host.import("", Some(by)).await.unwrap_err(), summary);
    }
    host.apply(&read, &Value::Null).await;
}

#[tokio::test]
async fn applications_are_listed_by_tenant() {
    let servers = servers();
    servers.nomad.namespace("listed");
    let mut host = Host::new(servers, "wire-list").await;
    let mut made = Vec::new();
    for (name, tenant) in [("lista", None), ("listb", None), ("listc", Some("listed"))] {
        let config = host.config(&yearly(name, tenant));
        made.push(host.apply(&NOTHING, &config).await);
    }
    servers
        .consul
        .write_key("wire-list/applications/default/listbad", "no record");

    let names = |events: &[wire::list_resource::Event]| -> Vec<String> {
        let names = events.iter().map(|event| match &event.identity {
            Some(_) => event.display_name.clone(),
            None => format!("{:?}", event.diagnostic[0].severity()),
        });
        names.collect()
    };
    let all = host.list(json!({}), 0, false).await;
    let want = ["default/lista", "default/listb", "Warning", "listed/listc"];
    assert_eq!(names(&all), want);
    let want = identity(&json!({ "tenant": "listed", "name": "listc" }));
    assert_eq!(all[3].identity, Some(want));
    assert!(all.iter().all(|it| it.resource_object.is_none()));

    let one = host.list(json!({ "tenant": "listed" }), 100, true).await;
    assert_eq!(names(&one), ["listed/listc"]);
    let state = host.unwired(one[0].resource_object.as_ref());
    assert_eq!(
        plain(&state)["component"]["job"]["env"],
        json!({ "A": "1" })
    );
    // What the last apply has changed only its own state tells.
    let known = |state: &Value| {
        let mut jobs = plain(state)["jobs"].clone();
        jobs["job"].as_object_mut().unwrap().remove("changes");
        jobs
    };
    assert_eq!(known(&state), known(&made[2].state));

    assert_eq!(
        names(&host.list(json!({}), 1, false).await),
        ["default/lista"]
    );
    assert!(
        host.list(json!({ "tenant": "nobody" }), 0, false)
            .await
            .is_empty()
    );
    let refused = host.list(json!({ "tenant": "a/b" }), 0, false).await;
    assert_eq!(errors(&refused[0].diagnostic), ["Unreadable tenant"]);
    for object in made {
        host.apply(&object, &Value::Null).await;
    }
}

#[tokio::test]
async fn a_generated_configuration_plans_nothing() {
    let mut host = Host::new(servers(), "wire-generate").await;
    let mut shop = worker("gener");
    shop["component"]["web"]["env"] = json!({ "A": "1" });
    shop["component"]["web"]["resources"] = json!({ "cpu": "50m", "memory": "32Mi" });
    shop["component"]["web"]["port"] = json!({ "http": { "port": 8080 } });
    shop["component"]["report"] = yearly("", None)["component"]["job"].clone();
    let config = host.config(&shop);
    let made = host.apply(&NOTHING, &config).await;

    let imported = host.import("gener", None).await.unwrap();
    let generated = host.generate(&imported.state).await;
    assert_eq!(generated.get("id"), &Value::Null);
    assert_eq!(generated.get("jobs"), &Value::Null);
    assert_eq!(generated.get("name"), &"gener".into());
    assert_eq!(plain(&generated)["component"], plain(&config)["component"]);
    let plan = host.plan(&imported, &generated).await;
    assert_eq!(plan.diagnostics, []);
    assert_eq!(host.unwired(plan.planned_state.as_ref()), imported.state);
    host.apply(&made, &Value::Null).await;
}

#[tokio::test]
async fn a_configuration_of_a_manifest_is_the_manifest() {
    let mut host = Host::new(servers(), "wire-manifest").await;
    let manifest = "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata: {name: manif}\n\
                    spec: {components: [{name: job, type: cron-task, properties: {\
                    schedule: 0 0 1 1 *, driver: raw_exec, command: [/bin/true]}}]}\n";
    let config = host.config(&json!({ "manifest": manifest }));
    let made = host.apply(&NOTHING, &config).await;
    assert_eq!(made.state.get("name"), &"manif".into());
    assert_eq!(host.generate(&made.state).await, config);
    host.apply(&made, &Value::Null).await;
}

#[tokio::test]
async fn a_job_of_nomads_provider_becomes_an_applications() {
    let servers = servers();
    let mut host = Host::new(servers, "wire-move").await;
    servers.nomad.register(&job("moved-web", &json!({})));
    let before = servers.nomad.job("default", "moved-web").unwrap();
    let state = json!({ "id": "moved-web", "namespace": "default", "jobspec": "…" });
    let moved = host.move_job(&state).await.unwrap();
    assert!(moved.state.is_wholly_known());
    assert_eq!(moved.identity, None);
    let moved = host.read(&moved).await;

    // Under another name, the job would be none of the application's.
    let other = host.config(&worker("other"));
    let plan = host.plan(&moved, &other).await;
    let want = "The job moved-web would not be one of the application's";
    assert_eq!(errors(&plan.diagnostics), [want]);

    let config = host.config(&worker("moved"));
    let plan = host.plan(&moved, &config).await;
    assert_eq!(errors(&plan.diagnostics), Vec::<String>::new());
    assert_eq!(plan.requires_replace, []);
    // Somebody is faster: the job is left alone, and the next plan sees what it is now.
    servers
        .nomad
        .edit("default", "moved-web", |job| job["Priority"] = json!(60));
    // Terraform plans once more in the apply, from the same state.
    let again = host.plan(&moved, &config).await;
    let want = ["The job moved-web has changed since the plan"];
    assert_eq!(errors(&again.diagnostics), want);
    let (failed, said) = host.apply_plan(&moved, &config, plan).await;
    assert_eq!(errors(&said), want);
    assert_eq!(failed.state, moved.state);
    assert_eq!(servers.consul.record("wire-move", "default", "moved"), None);
    assert_eq!(
        servers.nomad.job("default", "moved-web").unwrap()["Priority"],
        60
    );

    let failed = host.read(&failed).await;
    let adopted = host.apply(&failed, &config).await;
    let want = identity(&json!({ "tenant": "default", "name": "moved" }));
    assert_eq!(adopted.identity, Some(want));
    let now = servers.nomad.job("default", "moved-web").unwrap();
    assert_eq!(now["CreateIndex"], before["CreateIndex"], "another job");
    assert_eq!(now["Meta"]["oam.application"], "default/moved");
    let read = host.read(&adopted).await;
    assert_eq!(read.state, adopted.state);
    assert_eq!(plain(&read.state)["revision"], 1);
    let plan = host.plan(&read, &config).await;
    assert_eq!(host.unwired(plan.planned_state.as_ref()), read.state);
    host.apply(&read, &Value::Null).await;
    assert_eq!(servers.nomad.job("default", "moved-web"), None);
}

#[tokio::test]
async fn no_job_is_taken_from_another_application() {
    let servers = servers();
    let mut host = Host::new(servers, "wire-taken").await;
    let foreign = json!({ "Meta": { "oam.application": "other/app" } });
    servers.nomad.register(&job("taken-web", &foreign));
    servers
        .nomad
        .register(&job("turned-web", &json!({ "Type": "batch" })));
    let before = servers.nomad.job("default", "taken-web").unwrap();
    for (id, name, want) in [
        (
            "taken-web",
            "taken",
            "The job taken-web belongs to the application other/app",
        ),
        (
            "turned-web",
            "turned",
            "The job turned-web is of another type",
        ),
    ] {
        let moved = host.moved(&json!({ "id": id })).await;
        let config = host.config(&worker(name));
        let plan = host.plan(&moved, &config).await;
        assert_eq!(errors(&plan.diagnostics), [want]);

        // Nor is one that was never adopted purged.
        let plan = host.plan(&moved, &Value::Null).await;
        let (gone, said) = host.apply_plan(&moved, &Value::Null, plan).await;
        assert!(gone.state.is_null());
        assert_eq!(said[0].summary, format!("The job {id} is left as it is"));
        assert_eq!(said[0].severity(), wire::diagnostic::Severity::Warning);
    }
    let after = servers.nomad.job("default", "taken-web").unwrap();
    assert_eq!(after["JobModifyIndex"], before["JobModifyIndex"]);
    assert_eq!(
        host.move_job(&json!({})).await.unwrap_err(),
        "Unreadable state"
    );
    for id in ["taken-web", "turned-web"] {
        servers.nomad.stop("default", id, true);
    }
}

#[tokio::test]
async fn an_adoption_that_fails_half_way_goes_on() {
    let servers = servers();
    let mut host = Host::new(servers, "wire-half").await;
    servers.nomad.register(&job("half-web", &json!({})));
    let moved = host.moved(&json!({ "id": "half-web" })).await;
    let mut broken = worker("half");
    broken["component"]["web"]["command"] = json!(["/bin/false"]);
    broken["timeouts"] = json!({ "create": "5s" });
    let config = host.config(&broken);
    let plan = host.plan(&moved, &config).await;
    let (failed, said) = host.apply_plan(&moved, &config, plan).await;
    assert_eq!(errors(&said).len(), 1, "{said:?}");
    assert_eq!(plain(&failed.state)["status"], "applying");

    // Terraform may not have got that answer: then it has the moved state, and the record is there.
    let config = host.config(&worker("half"));
    for (before, revision) in [(&moved, 1), (&failed, 2)] {
        let before = host.read(before).await;
        let plan = host.plan(&before, &config).await;
        assert_eq!(errors(&plan.diagnostics), Vec::<String>::new());
        let state = host.unwired(plan.planned_state.as_ref());
        assert_eq!(plain(state.get("revision")), revision);
    }
    let moved = host.read(&moved).await;
    let adopted = host.apply(&moved, &config).await;
    assert_eq!(plain(&adopted.state)["status"], "settled");

    // From here on, the application exists, and nothing else can become it.
    let plan = host.plan(&moved, &config).await;
    let want = "The application default/half exists already";
    assert_eq!(errors(&plan.diagnostics), [want]);
    host.apply(&adopted, &Value::Null).await;
}

#[tokio::test]
async fn a_job_that_is_gone_when_it_is_moved_is_made_anew() {
    let servers = servers();
    let mut host = Host::new(servers, "wire-gone").await;
    let moved = host.move_job(&json!({ "id": "gone-job" })).await.unwrap();
    let plan = host.plan(&moved, &host.config(&yearly("gone", None))).await;
    let want = "The job gone-job has not been looked at";
    assert_eq!(errors(&plan.diagnostics), [want]);
    let moved = host.read(&moved).await;
    let config = host.config(&yearly("gone", None));
    let plan = host.plan(&moved, &config).await;
    let said: Vec<_> = plan.diagnostics.iter().map(|it| &*it.summary).collect();
    assert_eq!(said, ["The job gone-job is not there"]);
    let (made, said) = host.apply_plan(&moved, &config, plan).await;
    assert_eq!(said, []);
    assert!(servers.nomad.job("default", "gone-job").is_some());
    host.apply(&made, &Value::Null).await;
}

#[tokio::test]
async fn what_is_not_known_yet_is_deferred_where_terraform_can_wait() {
    let mut host = Host::new(servers(), "wire-defer").await;
    let mut config = host.config(&json!({}));
    let entries = config.as_map_mut().unwrap();
    entries.insert("manifest".to_owned(), Value::UNKNOWN);
    for (can_wait, want) in [(true, Some(Reason::ResourceConfigUnknown)), (false, None)] {
        let plan = host.plan_as(&NOTHING, &config, can_wait).await;
        assert_eq!(plan.diagnostics, []);
        assert_eq!(plan.deferred.map(|it| it.reason()), want);
    }

    for name in ["tenant", "name"] {
        let mut config = host.config(&yearly("defer", None));
        let entries = config.as_map_mut().unwrap();
        entries.insert(name.to_owned(), Value::UNKNOWN);
        for (can_wait, want) in [(true, Some(Reason::ResourceConfigUnknown)), (false, None)] {
            let plan = host.plan_as(&NOTHING, &config, can_wait).await;
            assert_eq!(plan.diagnostics, []);
            assert_eq!(plan.deferred.map(|it| it.reason()), want, "{name}");
        }
    }

    let ty = OamProvider::new(|_| None).schema().implied_type();
    let mut block = value(&json!({ "nomad": {}, "consul": {} }), &ty);
    let nomad = block.as_map_mut().unwrap().get_mut("nomad").unwrap();
    let entries = nomad.as_map_mut().unwrap();
    entries.insert("address".to_owned(), Value::UNKNOWN);
    let mut host = Host::configured(block).await;
    let config = host.config(&yearly("defer", None));
    for (can_wait, want) in [(true, Some(Reason::ProviderConfigUnknown)), (false, None)] {
        let plan = host.plan_as(&NOTHING, &config, can_wait).await;
        assert_eq!(plan.diagnostics, []);
        assert_eq!(plan.deferred.map(|it| it.reason()), want);
    }
}
