//! Tasks: of a component's own program, of its containers and of its sidecars.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Inverse, Origin};
use crate::nomad::job::{Consul, Resources, Task, Template, Vault};
use crate::oam::application::{EnvFrom, Resources as Wanted};
use crate::oam::{Path, units};

/// What a task runs.
#[derive(Debug)]
pub struct Program<'a> {
    /// The task's name.
    pub name: &'a str,
    /// Nomad's driver.
    pub driver: &'a str,
    /// Docker image, or disk image of a virtual machine.
    pub image: Option<&'a str>,
    /// Program and first arguments.
    pub command: &'a [String],
    /// Further arguments.
    pub args: &'a [String],
    /// Environment variables.
    pub env: &'a BTreeMap<String, String>,
    /// What it may use.
    pub resources: &'a Wanted,
    /// Its block.
    pub path: &'a Path,
}

/// Collects origins of one task.
struct Origins<'o> {
    all: &'o mut Vec<Origin>,
    prefix: String,
}

impl Origins<'_> {
    fn note(&mut self, place: &str, attribute: Path, inverse: Inverse) {
        self.all.push(Origin {
            job_path: format!("{}/{place}", self.prefix),
            attribute,
            inverse,
        });
    }
}

impl Program<'_> {
    /// The task, in a group.
    pub fn task(&self, group: &str, origins: &mut Vec<Origin>) -> Task {
        let mut task = Task {
            name: self.name.to_owned(),
            driver: self.driver.to_owned(),
            env: self.env.clone(),
            ..Task::default()
        };
        let mut origins = Origins {
            all: origins,
            prefix: format!("TaskGroups/{group}/Tasks/{}", self.name),
        };
        match (self.driver, self.image) {
            ("qemu", Some(image)) => self.machine(image, &mut task, &mut origins),
            (_, Some(image)) => self.container(image, &mut task, &mut origins),
            (_, None) => self.command(&mut task, &mut origins),
        }
        origins.note("Env", self.path.field("env"), Inverse::TextMap);
        self.resources(&mut task, &mut origins);
        task
    }

    fn container(&self, image: &str, task: &mut Task, origins: &mut Origins<'_>) {
        task.config.insert("image", image.into());
        origins.note("Config/image", self.path.field("image"), Inverse::Text);
        if !self.command.is_empty() {
            task.config
                .insert("entrypoint", self.command.to_vec().into());
        }
        let path = self.path.field("command");
        origins.note("Config/entrypoint", path, Inverse::TextList);
        self.arguments(task, origins);
    }

    /// <https://developer.hashicorp.com/nomad/docs/deploy/task-driver/qemu>.
    fn machine(&self, image: &str, task: &mut Task, origins: &mut Origins<'_>) {
        task.config.insert("image_path", image.into());
        origins.note("Config/image_path", self.path.field("image"), Inverse::Text);
        self.arguments(task, origins);
    }

    fn arguments(&self, task: &mut Task, origins: &mut Origins<'_>) {
        if !self.args.is_empty() {
            task.config.insert("args", self.args.to_vec().into());
        }
        origins.note("Config/args", self.path.field("args"), Inverse::TextList);
    }

    fn command(&self, task: &mut Task, origins: &mut Origins<'_>) {
        let Some((program, first)) = self.command.split_first() else {
            return;
        };
        task.config.insert("command", program.as_str().into());
        let path = self.path.field("command").index(0);
        origins.note("Config/command", path, Inverse::Text);
        let all: Vec<Value> = first
            .iter()
            .chain(self.args)
            .map(|arg| arg.as_str().into())
            .collect();
        if !all.is_empty() {
            task.config.insert("args", all.into());
        }
        // Where `command` has arguments, too, nothing tells whose a live one would be.
        if first.is_empty() {
            origins.note("Config/args", self.path.field("args"), Inverse::TextList);
        }
    }

    fn resources(&self, task: &mut Task, origins: &mut Origins<'_>) {
        let cpu = self.resources.cpu.as_deref().and_then(units::mhz);
        let memory_mb = self.resources.memory.as_deref().and_then(units::mib);
        if cpu.is_some() || memory_mb.is_some() {
            task.resources = Some(Resources { cpu, memory_mb });
        }
        let path = self.path.field("resources");
        origins.note("Resources/CPU", path.field("cpu"), Inverse::Mhz);
        origins.note("Resources/MemoryMB", path.field("memory"), Inverse::Mib);
    }
}

/// The files of the provider's own begin with a dot, which no part of a secret's path does.
///
/// Has the variables that are fetched from elsewhere written before the task starts.
pub(super) fn fetch_variables(task: &mut Task, variables: &BTreeMap<String, EnvFrom>) {
    let mut text = String::new();
    for (name, from) in variables {
        if let Some(secret) = &from.vault_secret {
            let field = secret_field(&secret.path, &secret.field);
            text.push_str(&format!(
                "{{{{ with secret \"{}\" }}}}{name}={{{{ {field} | toJSON }}}}{{{{ end }}}}\n",
                secret.path
            ));
            task.vault = Some(Vault::default());
        }
        if let Some(key) = &from.consul_key {
            text.push_str(&format!("{name}={{{{ key \"{}\" | toJSON }}}}\n", key.key));
            task.consul = Some(Consul::default());
        }
    }
    if !text.is_empty() {
        task.templates.push(Template {
            embedded_tmpl: text,
            dest_path: "secrets/.env_from.env".to_owned(),
            envvars: true,
            change_mode: "restart".to_owned(),
            change_signal: None,
            err_missing_key: true,
        });
    }
}

/// A field of a secret, in the language of templates: version 2 of the KV secrets engine has the
/// fields one level deeper, below `data`, as its paths tell by their second part
/// (<https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2>).
pub fn secret_field(path: &str, field: &str) -> String {
    let data = match path.split('/').nth(1) {
        Some("data") => ".Data.data",
        _ => ".Data",
    };
    let plain = field
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !field.starts_with(|c: char| c.is_ascii_digit());
    if plain {
        // A field that is missing is an error this way.
        format!("{data}.{field}")
    } else {
        format!("index {data} \"{field}\"")
    }
}

/// The names under which a task sees what it pulls its image with.
const REGISTRY: [(&str, &str); 2] = [
    ("OAM_REGISTRY_USERNAME", "username"),
    ("OAM_REGISTRY_PASSWORD", "password"),
];

/// Has an image pulled with the credentials in a secret: Nomad replaces variables in a driver's
/// settings after it has written the templates
/// (<https://developer.hashicorp.com/nomad/docs/deploy/task-driver/docker#authentication>).
pub(super) fn pull_with(task: &mut Task, secret: &str) {
    let mut text = format!("{{{{ with secret \"{secret}\" }}}}\n");
    for (variable, field) in REGISTRY {
        let field = secret_field(secret, field);
        text.push_str(&format!("{variable}={{{{ {field} | toJSON }}}}\n"));
    }
    text.push_str("{{ end }}");
    task.templates.push(Template {
        embedded_tmpl: text,
        dest_path: "secrets/.registry.env".to_owned(),
        envvars: true,
        change_mode: "noop".to_owned(),
        change_signal: None,
        err_missing_key: true,
    });
    task.vault = Some(Vault::default());
    let [(username, _), (password, _)] = REGISTRY;
    let auth = json!([{
        "username": format!("${{{username}}}"),
        "password": format!("${{{password}}}"),
    }]);
    task.config.insert("auth", auth);
}
