//! A job in the making.

use std::collections::BTreeMap;
use std::fmt::Display;

use serde_json::Value;

use super::task::{Program, fetch_variables, pull_with};
use super::{Inverse, META_APPLICATION, META_COMPONENT, Origin, Target, Translation};
use crate::nomad::job::{
    Check, Connect, Consul, Job, Network, Periodic, Port, Proxy, RestartPolicy, Service,
    SidecarService, Task, TaskGroup, Upstream, VolumeMount,
};
use crate::oam::application::{HealthCheck, Life};
use crate::oam::container::Container;
use crate::oam::{self, Application, ComponentType, Path, Spec, units};

/// A job in the making: its group, its network and its service apart, until [`Draft::finish`] puts
/// them together. The scopes come first, then the component's own fields, then the traits.
#[derive(Debug)]
pub struct Draft<'a> {
    /// The component's own fields.
    pub spec: &'a Spec,
    /// The job, without its group.
    pub job: Job,
    /// The group, with its tasks, but without its network and its services.
    pub group: TaskGroup,
    /// The network of the group.
    pub network: Network,
    /// How the component is in the mesh, where it is.
    pub mesh: Option<Mesh>,
    application: &'a Application,
    component: &'a str,
    target: &'a Target,
    service_name: String,
    service: Option<Service>,
    further_services: Vec<Service>,
    own_tasks: usize,
    origins: Vec<Origin>,
    path: Path,
}

/// How a component is in Consul's mesh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mesh {
    /// By a proxy beside each instance.
    Sidecar,
    /// It speaks the mesh's protocol by itself.
    Native,
}

/// Nomad's type of job for a type of component.
pub fn nomad_type(kind: ComponentType) -> &'static str {
    match kind.life() {
        Life::Always => "service",
        Life::Once => "batch",
        Life::EveryNode => "system",
    }
}

impl<'a> Draft<'a> {
    pub(super) fn new(
        application: &'a Application,
        component: &'a str,
        spec: &'a Spec,
        target: &'a Target,
    ) -> Self {
        let id = oam::job_id(&application.name, component);
        let tenant = application.tenant.as_deref();
        let owner = format!("{}/{}", tenant.unwrap_or("default"), application.name);
        Self {
            spec,
            job: Job {
                name: id.clone(),
                id,
                job_type: nomad_type(spec.kind).to_owned(),
                namespace: target.namespace.clone(),
                region: target.region.clone(),
                datacenters: target.datacenters.clone(),
                meta: BTreeMap::from([
                    (META_APPLICATION.to_owned(), owner),
                    (META_COMPONENT.to_owned(), component.to_owned()),
                ]),
                ..Job::default()
            },
            group: TaskGroup {
                name: component.to_owned(),
                count: 1,
                ..TaskGroup::default()
            },
            network: Network::default(),
            mesh: None,
            application,
            component,
            target,
            service_name: oam::service_name(tenant, &application.name, component),
            service: None,
            further_services: Vec::new(),
            own_tasks: 0,
            origins: Vec::with_capacity(32),
            path: Path::component(component),
        }
    }

    /// The component's own fields.
    pub(super) fn component(&mut self) {
        self.schedule();
        self.tasks();
        self.restart_policy();
        if let Some(check) = &self.spec.health_check {
            self.health_check(check);
        }
    }

    /// The name of the component's service, which nothing else in Consul has.
    pub fn service_name(&self) -> &str {
        &self.service_name
    }

    /// The name that a service of the component's tenant has in Consul.
    pub fn tenants_service_name(&self, name: &str) -> String {
        match &self.application.tenant {
            Some(tenant) => format!("{tenant}-{name}"),
            None => name.to_owned(),
        }
    }

    /// The path of the component.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The label of a port, or of the one that is meant where none is named.
    pub fn port_or_usual(&self, port: Option<&str>) -> String {
        port.or_else(|| self.spec.usual_port())
            .unwrap_or_default()
            .to_owned()
    }

    /// The tasks of the component's own program or, where it has none, of its containers.
    pub fn own_tasks(&mut self) -> &mut [Task] {
        self.group
            .tasks
            .get_mut(..self.own_tasks)
            .unwrap_or_default()
    }

    /// The component's service, made at the first call.
    pub fn service(&mut self) -> &mut Service {
        let name = &self.service_name;
        self.service.get_or_insert_with(|| service(name))
    }

    /// A service beside the component's own.
    pub fn further_service(&mut self, made: Service) {
        self.further_services.push(made);
    }

    /// Notes where a field of the job came from.
    pub fn job_origin(&mut self, place: impl Into<String>, attribute: Path, inverse: Inverse) {
        self.origins.push(Origin {
            job_path: place.into(),
            attribute,
            inverse,
        });
    }

    /// Notes where a field of the group came from.
    pub fn group_origin(&mut self, place: impl Display, attribute: Path, inverse: Inverse) {
        let place = format!("TaskGroups/{}/{place}", self.component);
        self.job_origin(place, attribute, inverse);
    }

    /// Notes where a field of a task came from.
    pub fn task_origin(
        &mut self,
        task: &str,
        place: impl Display,
        attribute: Path,
        inverse: Inverse,
    ) {
        self.group_origin(format_args!("Tasks/{task}/{place}"), attribute, inverse);
    }

    /// Notes that a field of the group would come from an attribute that is not set, unless it comes
    /// from another.
    pub fn group_origin_unset(&mut self, place: impl Display, attribute: Path, inverse: Inverse) {
        let place = format!("TaskGroups/{}/{place}", self.component);
        if !self.origins.iter().any(|origin| origin.job_path == place) {
            self.job_origin(place, attribute, inverse);
        }
    }

    pub(super) fn finish(mut self, cluster: Option<&str>) -> Translation {
        self.join_the_mesh();
        let Self {
            mut job,
            mut group,
            network,
            target,
            service,
            further_services,
            origins,
            component,
            ..
        } = self;
        if network != Network::default() {
            group.networks.push(network);
        }
        group.services.extend(service);
        group.services.extend(further_services);
        for task in &mut group.tasks {
            if let Some(vault) = &mut task.vault {
                vault.role.clone_from(&target.vault_role);
                vault.namespace.clone_from(&target.vault_namespace);
            }
            if let Some(consul) = &mut task.consul {
                consul.namespace.clone_from(&target.consul_namespace);
            }
        }
        if target.consul_namespace.is_some() {
            group.consul = Some(Consul {
                namespace: target.consul_namespace.clone(),
            });
        }
        job.task_groups.push(group);
        Translation {
            component: component.to_owned(),
            cluster: cluster.map(str::to_owned),
            job,
            origins,
        }
    }

    fn schedule(&mut self) {
        let Some(schedule) = &self.spec.schedule else {
            return;
        };
        self.job.periodic = Some(Periodic {
            enabled: true,
            spec_type: "cron",
            specs: vec![schedule.clone()],
            prohibit_overlap: false,
            time_zone: self
                .spec
                .time_zone
                .clone()
                .unwrap_or_else(|| "UTC".to_owned()),
        });
        let path = self.path.field("schedule");
        self.job_origin("Periodic/Specs", path, Inverse::OnlyText);
        let path = self.path.field("time_zone");
        self.job_origin("Periodic/TimeZone", path, Inverse::Text);
    }

    fn tasks(&mut self) {
        let spec = self.spec;
        if spec.has_program() {
            let mut task = Program {
                name: self.component,
                driver: spec.driver(),
                image: spec.image.as_deref(),
                command: &spec.command,
                args: &spec.args,
                env: &spec.env,
                resources: &spec.resources,
                path: &self.path,
            }
            .task(self.component, &mut self.origins);
            let path = self.path.field("driver");
            self.task_origin(self.component, "Driver", path, Inverse::Text);
            fetch_variables(&mut task, &spec.env_from);
            let path = self.path.clone();
            self.add_task(task, &spec.port, &path);
            self.own_tasks = 1;
        }
        for (name, container) in &spec.container {
            let path = self.path.field("container").key(name);
            self.add_container(name, container, &path, |task| {
                if !spec.has_program() {
                    // A component of containers alone has its variables in each of them.
                    for (variable, value) in &spec.env {
                        task.env
                            .entry(variable.clone())
                            .or_insert_with(|| value.clone());
                    }
                    fetch_variables(task, &spec.env_from);
                }
            });
        }
        if !spec.has_program() {
            self.own_tasks = spec.container.len();
        }
    }

    /// Adds the task of a container or a sidecar, finished by `finish`.
    pub fn add_container(
        &mut self,
        name: &str,
        container: &Container,
        path: &Path,
        finish: impl FnOnce(&mut Task),
    ) {
        let driver = match (&container.image, &self.spec.driver) {
            (Some(_), _) => "docker",
            (None, Some(driver)) => driver,
            (None, None) => "exec",
        };
        let mut task = Program {
            name,
            driver,
            image: container.image.as_deref(),
            command: &container.command,
            args: &container.args,
            env: &container.env,
            resources: &container.resources,
            path,
        }
        .task(self.component, &mut self.origins);
        let mut folders = Vec::new();
        for mount in &container.volume {
            if mount.source.starts_with('/') {
                let mode = if mount.read_only { ":ro" } else { "" };
                folders.push(format!("{}:{}{mode}", mount.source, mount.destination));
            } else {
                task.volume_mounts.push(VolumeMount {
                    volume: mount.source.clone(),
                    destination: mount.destination.clone(),
                    read_only: mount.read_only,
                });
            }
        }
        if !folders.is_empty() {
            task.config.insert("volumes", folders.into());
        }
        finish(&mut task);
        self.add_task(task, &container.port, path);
    }

    fn add_task(&mut self, mut task: Task, ports: &BTreeMap<String, oam::Port>, path: &Path) {
        if task.driver == "docker"
            && let Some(secret) = &self.spec.image_pull_secret
        {
            pull_with(&mut task, secret);
        }
        let shared = self.shares_a_network();
        // In the host's network nothing is mapped but by Docker, and NOMAD_PORT_<label> would be the
        // wrong port.
        let mapped = shared || task.driver == "docker";
        self.add_ports(ports, path, mapped);
        if !ports.is_empty() && !shared {
            match task.driver.as_str() {
                "docker" => {
                    let labels: Vec<_> = ports.keys().cloned().collect();
                    task.config.insert("ports", labels.into());
                }
                "qemu" => {
                    let map = ports
                        .iter()
                        .map(|(label, port)| (label.clone(), port.port.into()));
                    let map: serde_json::Map<String, Value> = map.collect();
                    task.config
                        .insert("port_map", vec![Value::from(map)].into());
                }
                _ => {}
            }
        }
        self.group.tasks.push(task);
    }

    /// Whether the tasks of an instance share a network that is not the host's.
    fn shares_a_network(&self) -> bool {
        self.network
            .mode
            .as_deref()
            .is_some_and(|mode| mode != "host")
    }

    fn add_ports(&mut self, ports: &BTreeMap<String, oam::Port>, path: &Path, mapped: bool) {
        for (label, port) in ports {
            let made = Port {
                label: label.clone(),
                value: port.expose.then_some(port.port),
                to: mapped.then_some(port.port),
            };
            let path = path.field("port").key(label).field("port");
            if port.expose {
                self.network.reserved_ports.push(made);
                let place = format_args!("Networks/0/ReservedPorts/{label}/Value");
                self.group_origin(place, path, Inverse::Number);
            } else {
                self.network.dynamic_ports.push(made);
                if !mapped {
                    continue;
                }
                let place = format_args!("Networks/0/DynamicPorts/{label}/To");
                self.group_origin(place, path, Inverse::Number);
            }
        }
    }

    fn restart_policy(&mut self) {
        if let Some(policy) = &self.spec.restart_policy {
            let nanoseconds = |text: &Option<String>| text.as_deref().and_then(units::nanoseconds);
            self.group.restart_policy = Some(RestartPolicy {
                attempts: policy.attempts,
                interval: nanoseconds(&policy.interval),
                delay: nanoseconds(&policy.delay),
                mode: policy.mode.clone(),
            });
        }
        let path = self.path.field("restart_policy");
        for (place, name, inverse) in [
            ("RestartPolicy/Attempts", "attempts", Inverse::Number),
            ("RestartPolicy/Interval", "interval", Inverse::Duration),
            ("RestartPolicy/Delay", "delay", Inverse::Duration),
            ("RestartPolicy/Mode", "mode", Inverse::Text),
        ] {
            self.group_origin(place, path.field(name), inverse);
        }
    }

    fn health_check(&mut self, check: &HealthCheck) {
        let port = self.port_or_usual(check.port.as_deref());
        let name = format!("{}-health", self.service_name);
        let path = self.path.field("health_check");
        let service_name = self.service_name.clone();
        let made = self.check(check, name, &port, &service_name, &path);
        let service = self.service();
        service.checks.push(made);
        // An ingress that follows may put the service on another port; the check stays.
        service.port_label = port;
    }

    /// A check of a service, and where it came from.
    pub fn check(
        &mut self,
        check: &HealthCheck,
        name: String,
        port: &str,
        service: &str,
        path: &Path,
    ) -> Check {
        let http = check.kind.as_deref() != Some("tcp");
        let nanoseconds = |text: &Option<String>, usual: &str| {
            units::nanoseconds(text.as_deref().unwrap_or(usual)).unwrap_or_default()
        };
        let place = format!("Services/{service}/Checks/{name}");
        for (field, attribute, inverse) in [
            ("Type", "type", Inverse::Text),
            ("Path", "path", Inverse::Text),
            ("PortLabel", "port", Inverse::Text),
            ("Interval", "interval", Inverse::Duration),
            ("Timeout", "timeout", Inverse::Duration),
        ] {
            self.group_origin(
                format_args!("{place}/{field}"),
                path.field(attribute),
                inverse,
            );
        }
        Check {
            name,
            kind: if http { "http" } else { "tcp" }.to_owned(),
            path: http.then(|| check.path.clone().unwrap_or_else(|| "/".to_owned())),
            port_label: Some(port.to_owned()),
            interval: nanoseconds(&check.interval, "10s"),
            timeout: nanoseconds(&check.timeout, "2s"),
        }
    }

    /// Gives the component's service its place in the mesh.
    fn join_the_mesh(&mut self) {
        let Some(mesh) = self.mesh else { return };
        let usual = self.port_or_usual(None);
        if self.service.is_none() && usual.is_empty() && self.spec.upstream.is_empty() {
            // Neither does it call anybody, nor can anybody call it.
            return;
        }
        let label = match &self.service {
            Some(service) => service.port_label.clone(),
            None => usual,
        };
        let port = self.spec.ports().find(|(known, _)| **known == label);
        let local_service_port = port.map(|(_, port)| port.port);
        let upstreams = self.spec.upstream.iter().map(|(component, upstream)| {
            let application = upstream.application.as_deref();
            let tenant = self.application.tenant.as_deref();
            let application = application.unwrap_or(&self.application.name);
            Upstream {
                destination_name: oam::service_name(tenant, application, component),
                local_bind_port: upstream.port,
            }
        });
        let connect = match mesh {
            Mesh::Native => Connect {
                native: true,
                sidecar_service: None,
            },
            Mesh::Sidecar => Connect {
                native: false,
                sidecar_service: Some(SidecarService {
                    tags: Vec::new(),
                    proxy: Proxy {
                        local_service_port,
                        upstreams: upstreams.collect(),
                    },
                }),
            },
        };
        let task = self.group.tasks.first().map(|task| task.name.clone());
        let service = self.service();
        service.port_label = label;
        service.connect = Some(connect);
        if let Some(Connect {
            sidecar_service: Some(sidecar),
            ..
        }) = &mut service.connect
            && !service.tags.is_empty()
        {
            // With the tags of its service Traefik would see each router twice, and serve neither.
            sidecar.tags.push("traefik.enable=false".to_owned());
        }
        if mesh == Mesh::Native {
            service.task_name = task;
        }
    }
}

/// A service that is nothing but its name yet.
pub fn service(name: &str) -> Service {
    Service {
        name: name.to_owned(),
        provider: "consul",
        ..Service::default()
    }
}
