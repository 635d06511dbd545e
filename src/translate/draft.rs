//! A job in the making.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Inverse, META_APPLICATION, META_COMPONENT, Origin, Target, Translation};
use crate::nomad::job::{
    Check, Job, Network, Periodic, Port, Resources, RestartPolicy, Service, Task, TaskGroup,
};
use crate::oam::{self, Application, ComponentType, Path, Spec, units};

/// A job in the making: its group and its task apart, until [`Draft::finish`] puts them together.
/// The component's own fields are in it from the start; the traits add to it.
#[derive(Debug)]
pub struct Draft<'a> {
    /// The component's own fields.
    pub spec: &'a Spec,
    /// The job, without its group.
    pub job: Job,
    /// The group, without its task and its service.
    pub group: TaskGroup,
    /// The task.
    pub task: Task,
    component: &'a str,
    service: Option<Service>,
    origins: Vec<Origin>,
    path: Path,
}

/// Nomad's type of job for a type of component.
pub fn nomad_type(kind: ComponentType) -> &'static str {
    match kind {
        ComponentType::Webservice | ComponentType::Worker => "service",
        ComponentType::Task | ComponentType::CronTask => "batch",
        ComponentType::Daemon => "system",
    }
}

impl<'a> Draft<'a> {
    pub(super) fn new(
        application: &Application,
        component: &'a str,
        spec: &'a Spec,
        target: &Target,
    ) -> Self {
        let id = oam::job_id(&application.name, component);
        let tenant = application.tenant.as_deref().unwrap_or("default");
        let owner = format!("{tenant}/{}", application.name);
        let mut draft = Self {
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
            task: Task {
                name: component.to_owned(),
                driver: spec.driver().to_owned(),
                ..Task::default()
            },
            component,
            service: None,
            origins: Vec::with_capacity(16),
            path: Path::component(component),
        };
        draft.schedule();
        draft.program();
        draft.resources();
        draft.restart_policy();
        draft.ports();
        draft.health_check();
        draft
    }

    /// The job's ID.
    pub fn job_id(&self) -> &str {
        &self.job.id
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

    /// The component's service, made at the first call.
    pub fn service(&mut self) -> &mut Service {
        let id = &self.job.id;
        self.service.get_or_insert_with(|| Service {
            name: id.clone(),
            provider: "consul",
            ..Service::default()
        })
    }

    /// Notes where a field of the job came from.
    pub fn job_origin(&mut self, place: &str, attribute: Path, inverse: Inverse) {
        self.origins.push(Origin {
            job_path: place.to_owned(),
            attribute,
            inverse,
        });
    }

    /// Notes where a field of the group came from.
    pub fn group_origin(&mut self, place: &str, attribute: Path, inverse: Inverse) {
        let place = format!("TaskGroups/{}/{place}", self.component);
        self.job_origin(&place, attribute, inverse);
    }

    /// Notes where a field of the task came from.
    pub fn task_origin(&mut self, place: &str, attribute: Path, inverse: Inverse) {
        let place = format!("TaskGroups/{0}/Tasks/{0}/{place}", self.component);
        self.job_origin(&place, attribute, inverse);
    }

    /// Notes that a field of the group would come from an attribute that is not set, unless it comes
    /// from another.
    pub fn group_origin_unset(&mut self, place: &str, attribute: Path, inverse: Inverse) {
        let place = format!("TaskGroups/{}/{place}", self.component);
        if !self.origins.iter().any(|origin| origin.job_path == place) {
            self.job_origin(&place, attribute, inverse);
        }
    }

    pub(super) fn finish(self) -> Translation {
        let Self {
            mut job,
            mut group,
            task,
            service,
            origins,
            component,
            ..
        } = self;
        group.tasks.push(task);
        group.services.extend(service);
        job.task_groups.push(group);
        Translation {
            component: component.to_owned(),
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
        let path = self.path.field("time_zone");
        self.job_origin("Periodic/TimeZone", path, Inverse::Text);
    }

    fn program(&mut self) {
        let Spec {
            image,
            command,
            args,
            env,
            ..
        } = self.spec;
        let texts = |texts: &[String]| -> Value { texts.to_vec().into() };
        let driver_path = self.path.field("driver");
        self.task_origin("Driver", driver_path, Inverse::Text);
        if let Some(image) = image {
            self.task.config.insert("image", image.as_str().into());
            let path = self.path.field("image");
            self.task_origin("Config/image", path, Inverse::Text);
            if !command.is_empty() {
                self.task.config.insert("entrypoint", texts(command));
            }
            let path = self.path.field("command");
            self.task_origin("Config/entrypoint", path, Inverse::TextList);
            if !args.is_empty() {
                self.task.config.insert("args", texts(args));
            }
            let path = self.path.field("args");
            self.task_origin("Config/args", path, Inverse::TextList);
        } else if let Some((program, first)) = command.split_first() {
            self.task.config.insert("command", program.as_str().into());
            let path = self.path.field("command").index(0);
            self.task_origin("Config/command", path, Inverse::Text);
            let all: Vec<_> = first.iter().chain(args).cloned().collect();
            if !all.is_empty() {
                self.task.config.insert("args", texts(&all));
            }
            // Where `command` has arguments, too, nothing tells whose a live one would be.
            if first.is_empty() {
                let path = self.path.field("args");
                self.task_origin("Config/args", path, Inverse::TextList);
            }
        }
        self.task.env.clone_from(env);
        let path = self.path.field("env");
        self.task_origin("Env", path, Inverse::TextMap);
    }

    fn resources(&mut self) {
        let resources = &self.spec.resources;
        let cpu = resources.cpu.as_deref().and_then(units::mhz);
        let memory_mb = resources.memory.as_deref().and_then(units::mib);
        if cpu.is_some() || memory_mb.is_some() {
            self.task.resources = Some(Resources { cpu, memory_mb });
        }
        let path = self.path.field("resources");
        self.task_origin("Resources/CPU", path.field("cpu"), Inverse::Mhz);
        self.task_origin("Resources/MemoryMB", path.field("memory"), Inverse::Mib);
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

    fn ports(&mut self) {
        let ports = &self.spec.port;
        if ports.is_empty() {
            return;
        }
        let mut network = Network::default();
        // In the host's network nothing is mapped, and NOMAD_PORT_<label> would be the wrong port.
        let mapped = self.task.driver == "docker";
        for (label, port) in ports {
            let made = Port {
                label: label.clone(),
                value: port.expose.then_some(port.port),
                to: mapped.then_some(port.port),
            };
            let path = self.path.field("port").key(label).field("port");
            if port.expose {
                network.reserved_ports.push(made);
                let place = format!("Networks/0/ReservedPorts/{label}/Value");
                self.group_origin(&place, path, Inverse::Number);
            } else {
                network.dynamic_ports.push(made);
                if !mapped {
                    continue;
                }
                let place = format!("Networks/0/DynamicPorts/{label}/To");
                self.group_origin(&place, path, Inverse::Number);
            }
        }
        self.group.networks.push(network);
        if mapped {
            let labels: Vec<_> = ports.keys().cloned().collect();
            self.task.config.insert("ports", labels.into());
        }
    }

    fn health_check(&mut self) {
        let Some(check) = &self.spec.health_check else {
            return;
        };
        let http = check.kind.as_deref() != Some("tcp");
        let id = self.job.id.clone();
        let nanoseconds = |text: &Option<String>, usual: &str| {
            units::nanoseconds(text.as_deref().unwrap_or(usual)).unwrap_or_default()
        };
        let port = self.port_or_usual(check.port.as_deref());
        let made = Check {
            name: format!("{id}-health"),
            kind: if http { "http" } else { "tcp" }.to_owned(),
            path: http.then(|| check.path.clone().unwrap_or_else(|| "/".to_owned())),
            port_label: Some(port.clone()),
            interval: nanoseconds(&check.interval, "10s"),
            timeout: nanoseconds(&check.timeout, "2s"),
        };
        let place = format!("Services/{id}/Checks/{}", made.name);
        let service = self.service();
        service.checks.push(made);
        // An ingress that follows may put the service on another port; the check stays.
        service.port_label = port;
        let path = self.path.field("health_check");
        for (field, name, inverse) in [
            ("Type", "type", Inverse::Text),
            ("Path", "path", Inverse::Text),
            ("Interval", "interval", Inverse::Duration),
            ("Timeout", "timeout", Inverse::Duration),
        ] {
            self.group_origin(&format!("{place}/{field}"), path.field(name), inverse);
        }
    }
}
