//! Many applications at once, through the real provider, as Terraform asks for them: ten at a time.
//!
//! A [`Fleet`] is what Terraform would keep of them: configurations, states and what is beside them. A
//! [`Run`] is one provider process, as of one run of Terraform.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt as _;
use futures_util::stream;
use oam_provider::oam::def;
use oam_provider::protocol::resource::Provider as _;
use oam_provider::protocol::value::{Type, Value, dynamic, json as json_value, msgpack};
use oam_provider::protocol::wire::tfplugin6 as wire;
use oam_provider::protocol::wire::tfplugin6::provider_client::ProviderClient;
use oam_provider::provider::{OamProvider, SOURCE, convert};
use serde_json::{Value as Json, json};
use tonic::transport::Channel;

use super::plugin::Plugin;
use super::support::Workspace;

const NAME: &str = "oam_application";

/// How many calls Terraform makes at once.
pub const PARALLEL: usize = 10;

/// An application that is registered and never runs by itself: nothing is placed on a node.
pub fn yearly(name: &str, tenant: Option<&str>) -> Json {
    json!({
        "name": name,
        "tenant": tenant,
        "component": { "job": {
            "type": "cron-task", "schedule": "0 0 1 1 *",
            "driver": "raw_exec", "command": ["/bin/true"], "env": { "A": "1" },
        } },
    })
}

/// What is kept of one application.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// The configuration, filled up as Terraform does.
    pub config: Value,
    /// The state.
    pub state: Value,
    /// What the provider keeps beside it.
    pub private: Vec<u8>,
}

/// Many applications, and where they are.
pub struct Fleet {
    /// The provider block.
    pub block: Json,
    /// The applications.
    pub objects: Vec<Object>,
}

impl Fleet {
    /// The state that Terraform would have of them, as `oam_application.it[N]` where their names end with N.
    pub fn state(&self, work: &Workspace) -> Json {
        let providers = work.run(&["providers"]).output;
        let mut addresses = providers.split("provider[").skip(1);
        let address = addresses
            .find_map(|rest| {
                rest.split_once(']')
                    .filter(|(address, _)| address.ends_with(SOURCE))
            })
            .map(|(address, _)| address)
            .unwrap_or_else(|| panic!("no provider {SOURCE}: {providers}"));
        let (_, application) = OamProvider::new(|_| None).resources().remove(0);
        let version = application.schema().version;
        let instances = self.objects.iter().map(|object| {
            let name = object.state.get("name").as_str().unwrap();
            let index: usize = name.rsplit('-').next().unwrap().parse().unwrap();
            json!({
                "index_key": index,
                "schema_version": version,
                "attributes": dynamic::to_json(&object.state).unwrap(),
                "sensitive_attributes": [],
                "private": STANDARD.encode(&object.private),
            })
        });
        terraform_state(NAME, address, instances.collect())
    }

    /// Applies these applications.
    pub async fn apply(block: Json, configs: &[Json]) -> Self {
        let run = Run::start(&block).await;
        let planned = each(configs, |config| run.create(config)).await;
        Self {
            block,
            objects: planned,
        }
    }

    /// Another run of the provider.
    pub async fn run(&self) -> Run {
        Run::start(&self.block).await
    }
}

/// A state of instances of one resource, `<kind>.it`.
pub fn terraform_state(kind: &str, provider: &str, instances: Vec<Json>) -> Json {
    json!({
        "version": 4, "terraform_version": "1.11.4", "serial": 1, "lineage": "fleet", "outputs": {},
        "resources": [{
            "mode": "managed", "type": kind, "name": "it",
            "provider": format!("provider[\"{provider}\"]"),
            "instances": instances,
        }],
        "check_results": null,
    })
}

/// Does the same with all of them, ten at a time, and gives the results in their order.
pub async fn each<'i, I, T, F: Future<Output = T>>(
    items: &'i [I],
    work: impl Fn(&'i I) -> F,
) -> Vec<T> {
    stream::iter(items)
        .map(work)
        .buffered(PARALLEL)
        .collect()
        .await
}

/// A provider process that is configured.
pub struct Run {
    client: ProviderClient<Channel>,
    ty: Type,
    plugin: Plugin,
}

/// What a refresh found.
pub type Refreshed = Result<Object, Vec<String>>;

impl Run {
    /// Starts it with this provider block.
    pub async fn start(block: &Json) -> Self {
        let provider = OamProvider::new(|_| None);
        let plugin = Plugin::start(None);
        let channel = plugin.connect(None).await.unwrap();
        let mut client = ProviderClient::new(channel);
        let ty = provider.schema().implied_type();
        let request = wire::configure_provider::Request {
            config: Some(wired(&value(block, &ty), &ty)),
            ..Default::default()
        };
        let response = client.configure_provider(request).await.unwrap();
        assert_eq!(response.into_inner().diagnostics, []);
        let (_, application) = provider.resources().remove(0);
        Self {
            client,
            ty: application.schema().implied_type(),
            plugin,
        }
    }

    /// A configuration, filled up as Terraform does.
    pub fn config(&self, config: &Json) -> Value {
        let mut config = value(config, &self.ty);
        convert::complete(&mut config, def::application());
        config
    }

    /// Plans and applies an application that is new.
    pub async fn create(&self, config: &Json) -> Object {
        let new = Object {
            config: self.config(config),
            state: Value::Null,
            private: Vec::new(),
        };
        self.update(&new).await.unwrap()
    }

    /// A refresh: the state as JSON, upgraded, then read.
    pub async fn refresh(&self, object: &Object) -> Option<Refreshed> {
        let request = wire::upgrade_resource_state::Request {
            type_name: NAME.to_owned(),
            version: 1,
            raw_state: Some(wire::RawState {
                json: dynamic::to_json(&object.state)
                    .unwrap()
                    .to_string()
                    .into_bytes(),
                ..Default::default()
            }),
        };
        let mut client = self.client.clone();
        let upgraded = client.upgrade_resource_state(request).await.unwrap();
        let upgraded = upgraded.into_inner();
        assert_eq!(upgraded.diagnostics, []);
        let request = wire::read_resource::Request {
            type_name: NAME.to_owned(),
            current_state: upgraded.upgraded_state,
            private: object.private.clone(),
            ..Default::default()
        };
        let read = client.read_resource(request).await.unwrap().into_inner();
        let errors = errors(&read.diagnostics);
        if !errors.is_empty() {
            return Some(Err(errors));
        }
        let state = self.unwired(read.new_state.as_ref());
        (!state.is_null()).then(|| {
            Ok(Object {
                state,
                private: read.private,
                ..object.clone()
            })
        })
    }

    /// A plan: the configuration is checked, then planned.
    pub async fn plan(&self, object: &Object) -> wire::plan_resource_change::Response {
        let mut client = self.client.clone();
        let request = wire::validate_resource_config::Request {
            type_name: NAME.to_owned(),
            config: Some(wired(&object.config, &self.ty)),
            ..Default::default()
        };
        let checked = client.validate_resource_config(request).await.unwrap();
        assert_eq!(checked.into_inner().diagnostics, []);
        let request = wire::plan_resource_change::Request {
            type_name: NAME.to_owned(),
            prior_state: Some(wired(&object.state, &self.ty)),
            proposed_new_state: Some(wired(&proposed(object), &self.ty)),
            config: Some(wired(&object.config, &self.ty)),
            prior_private: object.private.clone(),
            ..Default::default()
        };
        client
            .plan_resource_change(request)
            .await
            .unwrap()
            .into_inner()
    }

    /// Whether a plan has nothing to do.
    pub async fn is_planned_empty(&self, object: &Object) -> bool {
        let plan = self.plan(object).await;
        assert_eq!(errors(&plan.diagnostics), Vec::<String>::new());
        self.unwired(plan.planned_state.as_ref()) == object.state
    }

    /// Plans and applies.
    pub async fn update(&self, object: &Object) -> Refreshed {
        let plan = self.plan(object).await;
        self.apply(object, plan).await
    }

    /// Applies what was planned.
    pub async fn apply(
        &self,
        object: &Object,
        plan: wire::plan_resource_change::Response,
    ) -> Refreshed {
        assert_eq!(errors(&plan.diagnostics), Vec::<String>::new());
        let request = wire::apply_resource_change::Request {
            type_name: NAME.to_owned(),
            prior_state: Some(wired(&object.state, &self.ty)),
            planned_state: plan.planned_state,
            config: Some(wired(&object.config, &self.ty)),
            planned_private: plan.planned_private,
            ..Default::default()
        };
        let mut client = self.client.clone();
        let applied = client.apply_resource_change(request).await.unwrap();
        let applied = applied.into_inner();
        let errors = errors(&applied.diagnostics);
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Object {
            state: self.unwired(applied.new_state.as_ref()),
            private: applied.private,
            ..object.clone()
        })
    }

    /// Has an application as its configuration says, whatever was changed about it.
    pub async fn settle(&self, object: &Object) -> Object {
        let found = self.refresh(object).await.unwrap().unwrap();
        match found.state == object.state {
            true => found,
            false => self.update(&found).await.unwrap(),
        }
    }

    /// Takes an application away.
    pub async fn destroy(&self, object: &Object) -> Vec<String> {
        let gone = wired(&Value::Null, &self.ty);
        let request = wire::apply_resource_change::Request {
            type_name: NAME.to_owned(),
            prior_state: Some(wired(&object.state, &self.ty)),
            planned_state: Some(gone.clone()),
            config: Some(gone),
            planned_private: object.private.clone(),
            ..Default::default()
        };
        let mut client = self.client.clone();
        let response = client.apply_resource_change(request).await.unwrap();
        errors(&response.into_inner().diagnostics)
    }

    fn unwired(&self, value: Option<&wire::DynamicValue>) -> Value {
        msgpack::decode(&value.unwrap().msgpack, &self.ty).unwrap()
    }

    /// The processor time that the process has used so far, and its largest resident memory in bytes.
    pub fn used(&self) -> (Duration, u64) {
        used(self.plugin.child.id()).expect("the provider runs")
    }
}

/// Processor time (user and system) and largest resident memory of a process, where it still runs.
pub fn used(pid: u32) -> Option<(Duration, u64)> {
    // In nanoseconds, by thread; that of threads that have ended is not in it. The ticks of
    // `/proc/PID/stat` are too coarse for what takes a few milliseconds.
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    let times = tasks.flatten().filter_map(|task| {
        let stat = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        stat.split_whitespace().next()?.parse::<u64>().ok()
    });
    let cpu = Duration::from_nanos(times.sum());
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let peak: u64 = peak.split_whitespace().next()?.parse().ok()?;
    Some((cpu, peak * 1024))
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

/// What Terraform proposes: the configuration, and of the state before what only the provider sets.
fn proposed(object: &Object) -> Value {
    let mut proposed = object.config.clone();
    for (name, value) in proposed.as_map_mut().unwrap() {
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
            *value = match object.state.get(name) {
                Value::Null if object.state.is_null() => Value::UNKNOWN,
                before => before.clone(),
            };
        }
    }
    proposed
}

fn errors(said: &[wire::Diagnostic]) -> Vec<String> {
    let errors = said.iter().filter(|it| it.severity == 1);
    errors.map(|it| it.summary.clone()).collect()
}
