//! The pages of component types, traits and scopes.

use std::fmt::Write as _;

use oam_provider::oam::application::COMPONENT;
use oam_provider::oam::def::Kind;
use oam_provider::oam::schema::fields;
use oam_provider::oam::{ComponentType, manifest};
use oam_provider::{scopes, traits, translate};

use crate::page::{code, front};
use crate::{files, golden, table};

/// A page about a word of the vocabulary.
pub struct Guide {
    /// The word, as a manifest has it.
    pub name: &'static str,
    subject: Subject,
}

enum Subject {
    Component(ComponentType),
    Trait(&'static traits::Definition),
    Scope(&'static scopes::Definition),
}

/// Every one, group by group.
pub fn all() -> Vec<Guide> {
    let components = ComponentType::ALL.iter().map(|kind| Guide {
        name: kind.name(),
        subject: Subject::Component(*kind),
    });
    let traits = traits::ALL.iter().map(|definition| Guide {
        name: definition.field.oam,
        subject: Subject::Trait(definition),
    });
    let scopes = scopes::ALL.iter().map(|definition| Guide {
        name: definition.kind,
        subject: Subject::Scope(definition),
    });
    components.chain(traits).chain(scopes).collect()
}

impl Guide {
    /// The group in the registry's menu.
    pub fn group(&self) -> &'static str {
        match self.subject {
            Subject::Component(_) => "Component types",
            Subject::Trait(_) => "Traits",
            Subject::Scope(_) => "Scopes",
        }
    }

    /// One line: what it is.
    pub fn summary(&self) -> &'static str {
        match self.subject {
            Subject::Component(kind) => kind.doc(),
            Subject::Trait(definition) => definition.field.doc,
            Subject::Scope(definition) => definition.block.doc,
        }
    }

    /// The page, below `docs`. The registry takes what follows a dot for the kind of file, so the name
    /// ends before the first.
    pub fn file(&self) -> String {
        let kind = match self.subject {
            Subject::Component(_) => "component",
            Subject::Trait(_) => "trait",
            Subject::Scope(_) => "scope",
        };
        let short = self.name.split('.').next().unwrap_or(self.name);
        format!("guides/{kind}-{short}.md")
    }

    fn example(&self) -> String {
        let folder = match self.subject {
            Subject::Component(_) => "components",
            Subject::Trait(_) => "traits",
            Subject::Scope(_) => "scopes",
        };
        format!("{folder}/{}", self.name)
    }

    /// The file of the page in `docs`, and its text. `resources` are those that have pages.
    pub fn page(&self, resources: &[&str]) -> (String, String) {
        let name = self.name;
        let what = match self.subject {
            Subject::Component(_) => "Component type",
            Subject::Trait(_) => "Trait",
            Subject::Scope(_) => "Scope",
        };
        let mut text = front(&format!("{what} {name}"), self.group(), self.summary());
        write!(text, "# {what} `{name}`\n\n{}\n\n", self.summary()).unwrap();
        match self.subject {
            Subject::Component(kind) => component_facts(&mut text, kind),
            Subject::Trait(definition) => trait_facts(&mut text, definition),
            Subject::Scope(definition) => scope_facts(&mut text, definition, resources),
        }
        self.usage(&mut text);
        text.push_str("\n## Fields\n");
        write!(
            text,
            "\nFor editors there is a [JSON Schema](../schemas/{}.schema.json) of the `properties` in a \
             manifest.\n",
            name.to_lowercase()
        )
        .unwrap();
        match self.subject {
            Subject::Component(kind) => {
                text.push_str(
                    "\nOf a `component` block; its [traits](#traits) are blocks in it, too.\n",
                );
                table::write(&mut text, &COMPONENT, |field| {
                    let own = !traits::is_trait(field.name) && fields::takes(kind, field.name);
                    own.then(|| field.required || fields::needs(kind, field.name))
                });
            }
            Subject::Trait(definition) => {
                if let Kind::Single(block) | Kind::Labelled(block) = definition.field.kind {
                    table::write(&mut text, block, |field| Some(field.required));
                }
            }
            Subject::Scope(definition) => {
                table::write(&mut text, definition.block, |field| Some(field.required))
            }
        }
        (self.file(), text)
    }

    /// The example in both forms, and the jobs that it comes to: `tests/examples.rs` sees to it that
    /// both come to the same.
    fn usage(&self, text: &mut String) {
        let folder = self.example();
        let hcl = files::example(&format!("{folder}/main.tf"));
        let document = files::example(&format!("{folder}/app.yaml"));
        let node = manifest::read(&document)
            .unwrap_or_else(|faults| panic!("examples/{folder}/app.yaml: {faults:#?}"))
            .node;
        let case = golden::Case { name: folder, node };
        let jobs: Vec<_> = golden::translate(&case)
            .into_iter()
            .map(|one| one.job)
            .collect();
        let jobs = serde_json::to_string_pretty(&jobs).unwrap();
        write!(
            text,
            "## Example Usage\n\n{}\nThe same as a manifest:\n\n{}\n## The jobs of the example\n\n\
             As they are sent to Nomad:\n\n{}",
            code("terraform", &hcl),
            code("yaml", &document),
            code("json", &jobs),
        )
        .unwrap();
    }
}

fn component_facts(text: &mut String, kind: ComponentType) {
    let job = translate::job_type(kind.name()).unwrap_or_default();
    let job = match kind {
        ComponentType::CronTask => format!("periodic `{job}`"),
        _ => format!("`{job}`"),
    };
    write!(text, "On Nomad it is a job of type {job}.\n\n").unwrap();
    text.push_str("<a id=\"traits\"></a>\nThese traits apply to it: ");
    let applying = all().into_iter().filter_map(|guide| match guide.subject {
        Subject::Trait(definition) if definition.applies_to.contains(&kind) => Some(link(&guide)),
        _ => None,
    });
    let applying: Vec<_> = applying.collect();
    write!(text, "{}.\n\n", applying.join(", ")).unwrap();
}

fn trait_facts(text: &mut String, definition: &traits::Definition) {
    let several = match definition.field.kind {
        Kind::Labelled(_) => "blocks with labels",
        _ => "a block",
    };
    write!(
        text,
        "In a `component` it is {several} `{}`; in a manifest an entry of `traits` with the `type` `{}`{}.\n\n",
        definition.field.name,
        definition.field.oam,
        match definition.field.kind {
            Kind::Labelled(_) => ", one for each",
            _ => "",
        },
    )
    .unwrap();
    let types = all().into_iter().filter_map(|guide| match guide.subject {
        Subject::Component(kind) if definition.applies_to.contains(&kind) => Some(link(&guide)),
        _ => None,
    });
    let types: Vec<_> = types.collect();
    if types.len() == ComponentType::ALL.len() {
        text.push_str("It applies to every type of component.\n\n");
    } else {
        let why_not = definition.why_not;
        write!(text, "It applies to {}. {why_not}\n\n", types.join(", ")).unwrap();
    }
}

fn scope_facts(text: &mut String, definition: &scopes::Definition, resources: &[&str]) {
    write!(
        text,
        "An application is in one such scope at most. It is written in the application, as a block \
         `{}`; in a manifest it is an entry of `scopes` whose `scopeRef` has the `kind` `{}`.",
        definition.field, definition.kind,
    )
    .unwrap();
    let resource = format!("oam_{}", definition.field);
    if resources.contains(&resource.as_str()) {
        write!(
            text,
            " Or it is a resource of its own, [`{resource}`](../resources/{}.md), for several \
             applications: they have its `id`, `{}/<name>`, among their `scopes`, and a manifest a \
             `scopeRef` without `properties`.",
            definition.field, definition.id,
        )
        .unwrap();
    }
    text.push_str("\n\n");
}

/// A link from one guide to another.
fn link(guide: &Guide) -> String {
    let file = guide.file();
    let file = file.strip_prefix("guides/").unwrap_or(&file);
    format!("[`{}`]({file})", guide.name)
}
