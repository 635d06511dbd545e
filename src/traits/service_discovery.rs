//! `servicediscovery.nomad.oam.dev`: a service in Consul under a name of its own, with tags and a check.
//!
//! A service of the task group (<https://developer.hashicorp.com/nomad/docs/job-specification/service>).

use serde::Deserialize;

use super::{Definition, SERVING, Trait};
use crate::oam::application::{HEALTH_CHECK, HealthCheck};
use crate::oam::def::{Block, Field, Kind};
use crate::oam::validate::check_port;
use crate::oam::{Node, Path, Problem, form, limits};
use crate::translate::{Draft, Inverse, service};

/// The definition.
pub const DEFINITION: Definition = Definition {
    field: &Field {
        name: "service_discovery",
        oam: "servicediscovery.nomad.oam.dev",
        kind: Kind::Single(&BLOCK),
        required: false,
        doc: "A service in Consul, with tags and a check.",
    },
    applies_to: SERVING,
    why_not: "Only components that serve ports all the time, such as a `webservice` or a `daemon`, can be \
              discovered.",
    check,
    unset: |_| {},
    parse: |json| Ok(Box::new(serde_json::from_value::<ServiceDiscovery>(json)?)),
};

static BLOCK: Block = Block {
    name: "service_discovery",
    doc: "A service in Consul, with tags and a check.",
    label: None,
    fields: &[
        Field {
            name: "service_name",
            oam: "serviceName",
            kind: Kind::Text(&form::LABEL),
            required: false,
            doc: "The service's name, after that of the tenant and a hyphen where there is a tenant; \
                  `<application>-<component>` otherwise, which is the service that an ingress or a \
                  `health_check` makes, too.",
        },
        Field {
            name: "tags",
            oam: "tags",
            kind: Kind::List(&form::WORD),
            required: false,
            doc: "Its tags.",
        },
        Field {
            name: "port",
            oam: "port",
            kind: Kind::Text(&form::LABEL),
            required: false,
            doc: "Label of the port that serves it: the only one, or the one labelled `http`, otherwise.",
        },
        Field {
            name: "check",
            oam: "check",
            kind: Kind::Single(&CHECK),
            required: false,
            doc: "How Consul finds out whether an instance is healthy.",
        },
    ],
};

static CHECK: Block = Block {
    name: "check",
    doc: "How Consul finds out whether an instance is healthy.",
    label: None,
    fields: HEALTH_CHECK.fields,
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ServiceDiscovery {
    service_name: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
    port: Option<String>,
    check: Option<HealthCheck>,
}

fn check(component: &Node, path: &Path, problems: &mut Vec<Problem>) {
    let discovery = component.get("service_discovery");
    check_port(component, discovery, path, problems);
    let check = discovery.get("check");
    if !check.is_null() {
        check_port(component, check, &path.field("check"), problems);
        limits::health_check(check, &path.field("check"), problems);
    }
    let tags = match discovery.get("tags") {
        Node::List(tags) => tags.as_slice(),
        _ => &[],
    };
    for (index, tag) in tags.iter().enumerate() {
        let prefix = tag.as_str().and_then(|tag| tag.get(..8));
        if prefix.is_some_and(|prefix| prefix.eq_ignore_ascii_case("traefik.")) {
            problems.push(Problem::error(
                path.field("tags").index(index),
                "A tag of Traefik's",
                "Routes come from the trait `ingress`, which checks them. Use that.",
            ));
        }
    }
}

impl Trait for ServiceDiscovery {
    fn translate(&self, draft: &mut Draft<'_>) {
        let path = draft.path().field("service_discovery");
        let own = draft.service_name().to_owned();
        let name = match &self.service_name {
            Some(name) => draft.tenants_service_name(name),
            None => own.clone(),
        };
        let port = draft.port_or_usual(self.port.as_deref());
        let check = self.check.as_ref().map(|check| {
            let label = match &check.port {
                Some(label) => label.clone(),
                None => port.clone(),
            };
            draft.check(
                check,
                format!("{name}-check"),
                &label,
                &name,
                &path.field("check"),
            )
        });
        if name == own {
            let service = draft.service();
            // An ingress has said which port.
            if service.port_label.is_empty() || self.port.is_some() {
                service.port_label = port;
            }
            service.tags.extend(self.tags.iter().cloned());
            service.checks.extend(check);
            return;
        }
        let mut made = service(&name);
        made.port_label = port;
        made.tags.clone_from(&self.tags);
        made.checks.extend(check);
        draft.further_service(made);
        for (place, field, inverse) in [
            ("PortLabel", "port", Inverse::Text),
            ("Tags", "tags", Inverse::TextList),
        ] {
            draft.group_origin(
                format_args!("Services/{name}/{place}"),
                path.field(field),
                inverse,
            );
        }
    }
}
