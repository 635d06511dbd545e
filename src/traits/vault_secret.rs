//! `vault-secret`: fields of a secret in Vault as environment variables.
//!
//! A template that Nomad renders with the task's own access to Vault
//! (<https://developer.hashicorp.com/nomad/docs/job-specification/template>, `vault` beside it). The
//! secret never passes through the provider.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::{Definition, EVERY_TYPE, Trait};
use crate::nomad::job::{Template, Vault};
use crate::oam::def::{Block, Field, Kind, Label};
use crate::oam::{Node, Path, Problem, form};
use crate::translate::{Draft, Inverse, item_name, secret_field};

/// The definition.
pub const DEFINITION: Definition = Definition {
    field: &Field {
        name: "vault_secret",
        oam: "vault-secret",
        kind: Kind::Labelled(&BLOCK),
        required: false,
        doc: "Fields of a secret in Vault as environment variables. The label is the secret's path, \
              such as `secret/data/db`: of version 2 of the KV secrets engine, with `data` as its \
              second part.",
    },
    applies_to: EVERY_TYPE,
    why_not: "",
    check,
    unset: |_| {},
    parse: |json| Ok(Box::new(Secrets(serde_json::from_value(json)?))),
};

static BLOCK: Block = Block {
    name: "vault_secret",
    doc: "Fields of a secret in Vault as environment variables.",
    label: Some(Label {
        oam: "path",
        form: &form::KEY,
    }),
    fields: &[
        Field {
            name: "env",
            oam: "env",
            kind: Kind::Map(&form::SECRET_FIELD, &form::VARIABLE),
            required: true,
            doc: "The environment variable of each field, by the field's name.",
        },
        Field {
            name: "change_mode",
            oam: "changeMode",
            kind: Kind::Enum(&["restart", "signal"]),
            required: false,
            doc: "What happens when the secret changes: `restart` (the default), or `signal`. A task \
                  that gets a signal reads the new values from the file \
                  `${NOMAD_SECRETS_DIR}/<path>.env`, since the variables of a process do not change.",
        },
        Field {
            name: "change_signal",
            oam: "changeSignal",
            kind: Kind::Text(&form::SIGNAL),
            required: false,
            doc: "The signal; `SIGHUP` otherwise.",
        },
    ],
};

#[derive(Debug)]
struct Secrets(BTreeMap<String, Secret>);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Secret {
    env: BTreeMap<String, String>,
    change_mode: Option<String>,
    change_signal: Option<String>,
}

fn check(component: &Node, path: &Path, problems: &mut Vec<Problem>) {
    let names = |block: &str| {
        let entries = component.get(block).as_map().into_iter().flatten();
        entries.map(|(name, _)| name.clone()).collect::<Vec<_>>()
    };
    let mut taken: BTreeSet<String> = names("env").into_iter().chain(names("env_from")).collect();
    for (label, secret) in component.get("vault_secret").as_map().into_iter().flatten() {
        let path = path.key(label);
        if secret.get("env").as_map().is_some_and(BTreeMap::is_empty) {
            problems.push(Problem::error(
                path.field("env"),
                "A secret that nobody sees",
                "Name at least one field of the secret, and its variable.",
            ));
        }
        for (field, variable) in secret.get("env").as_map().into_iter().flatten() {
            let Some(variable) = variable.as_str() else {
                continue;
            };
            if !taken.insert(variable.to_owned()) {
                problems.push(Problem::error(
                    path.field("env").key(field),
                    format!("{variable:?} is taken"),
                    "Another field or another block of this component sets the same variable.",
                ));
            }
        }
        if secret.get("change_mode").as_str() != Some("signal")
            && !secret.get("change_mode").is_unknown()
            && !secret.get("change_signal").is_null()
        {
            problems.push(Problem::error(
                path.field("change_signal"),
                "A signal that is never sent",
                "Set `change_mode` to `signal`, or remove this.",
            ));
        }
    }
}

impl Trait for Secrets {
    fn translate(&self, draft: &mut Draft<'_>) {
        let tasks: Vec<_> = draft
            .own_tasks()
            .iter()
            .map(|task| task.name.clone())
            .collect();
        for (path, secret) in &self.0 {
            let templates = secret.templates(path);
            for task in draft.own_tasks() {
                task.vault = Some(Vault::default());
                task.templates.extend(templates.iter().cloned());
            }
            let block = draft.path().field("vault_secret").key(path);
            // With a signal the second template has the mode.
            if let Some(owner) = templates.last() {
                for task in &tasks {
                    for (field, name) in [
                        ("ChangeMode", "change_mode"),
                        ("ChangeSignal", "change_signal"),
                    ] {
                        let place = format!("Templates/{}/{field}", item_name(&owner.dest_path));
                        draft.task_origin(task, &place, block.field(name), Inverse::Text);
                    }
                }
            }
        }
    }
}

impl Secret {
    /// One that sets the variables and, where the task is to get a signal, one that writes the file that
    /// the task reads then: Nomad sends no signals for variables (`Template.Validate` in its
    /// `nomad/structs/structs.go`).
    fn templates(&self, path: &str) -> Vec<Template> {
        let lines = self.env.iter().map(|(field, variable)| {
            let field = secret_field(path, field);
            format!("{variable}={{{{ {field} | toJSON }}}}\n")
        });
        let text = format!(
            "{{{{ with secret \"{path}\" }}}}\n{}{{{{ end }}}}",
            lines.collect::<String>()
        );
        let template = |dest_path, envvars, change_mode: &str, change_signal| Template {
            embedded_tmpl: text.clone(),
            dest_path,
            envvars,
            change_mode: change_mode.to_owned(),
            change_signal,
            err_missing_key: true,
        };
        let file = format!("secrets/{path}.env");
        match self.change_mode.as_deref() {
            Some("signal") => {
                let signal = self.change_signal.as_deref().unwrap_or("SIGHUP");
                vec![
                    template(format!("secrets/.start/{path}.env"), true, "noop", None),
                    template(file, false, "signal", Some(signal.to_owned())),
                ]
            }
            _ => vec![template(file, true, "restart", None)],
        }
    }
}
