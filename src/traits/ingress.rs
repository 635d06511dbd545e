//! `ingress`: requests from outside, by host and path, through Traefik.
//!
//! Traefik's Consul catalog provider reads a router from the tags of the Consul service
//! (<https://doc.traefik.io/traefik/routing/providers/consul-catalog/>).

use serde::Deserialize;

use super::{Definition, SERVING, Trait};
use crate::oam::def::{Block, Field, Kind};
use crate::oam::form;
use crate::oam::validate::check_port;
use crate::oam::{Node, Path, Problem};
use crate::translate::{Draft, Inverse};

/// The definition.
pub const DEFINITION: Definition = Definition {
    field: &Field {
        name: "ingress",
        oam: "ingress",
        kind: Kind::Single(&BLOCK),
        required: false,
        doc: "Requests from outside, by host and path, through Traefik.",
    },
    applies_to: SERVING,
    why_not: "Only components that serve ports all the time, such as a `webservice` or a `daemon`, can have \
              an ingress.",
    check,
    unset: |_| {},
    parse: |json| Ok(Box::new(serde_json::from_value::<Ingress>(json)?)),
};

static BLOCK: Block = Block {
    name: "ingress",
    doc: "Requests from outside, by host and path, through Traefik.",
    label: None,
    fields: &[
        Field {
            name: "host",
            oam: "host",
            kind: Kind::Text(&form::HOST),
            required: true,
            doc: "Host name of the requests, such as `shop.example.com`.",
        },
        Field {
            name: "path_prefix",
            oam: "pathPrefix",
            kind: Kind::Text(&form::ROUTE),
            required: false,
            doc: "What the path of the requests begins with; every path otherwise.",
        },
        Field {
            name: "port",
            oam: "port",
            kind: Kind::Text(&form::LABEL),
            required: false,
            doc: "Label of the port that serves them: the only one, or the one labelled `http`, \
                  otherwise.",
        },
        Field {
            name: "tls",
            oam: "tls",
            kind: Kind::Bool,
            required: false,
            doc: "Serve HTTPS (Traefik's entry point `websecure`) instead of HTTP (`web`).",
        },
        Field {
            name: "strip_prefix",
            oam: "stripPrefix",
            kind: Kind::Bool,
            required: false,
            doc: "Take `path_prefix` off the path before the component sees it.",
        },
        Field {
            name: "middleware",
            oam: "middleware",
            kind: Kind::List(&form::WORD),
            required: false,
            doc: "Traefik middlewares, in order, such as `auth@file`.",
        },
    ],
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ingress {
    host: String,
    path_prefix: Option<String>,
    port: Option<String>,
    #[serde(default)]
    tls: bool,
    #[serde(default)]
    strip_prefix: bool,
    #[serde(default)]
    middleware: Vec<String>,
}

fn check(component: &Node, path: &Path, problems: &mut Vec<Problem>) {
    let ingress = component.get("ingress");
    check_port(component, ingress, path, problems);
    if *ingress.get("strip_prefix") == Node::Bool(true) && ingress.get("path_prefix").is_null() {
        problems.push(Problem::error(
            path.field("strip_prefix"),
            "No prefix to strip",
            "`strip_prefix` takes `path_prefix` off the path. Set that, too, or remove this.",
        ));
    }
}

impl Trait for Ingress {
    fn translate(&self, draft: &mut Draft<'_>) {
        let name = draft.service_name().to_owned();
        let tags = self.tags(&name);
        let port = draft.port_or_usual(self.port.as_deref());
        let service = draft.service();
        service.port_label = port;
        service.tags.extend(tags);
        let path = draft.path().field("ingress").field("port");
        draft.group_origin(
            format_args!("Services/{name}/PortLabel"),
            path,
            Inverse::Text,
        );
    }
}

impl Ingress {
    fn tags(&self, name: &str) -> Vec<String> {
        let router = format!("traefik.http.routers.{name}");
        let mut rule = format!("Host(`{}`)", self.host);
        if let Some(prefix) = &self.path_prefix {
            rule.push_str(&format!(" && PathPrefix(`{prefix}`)"));
        }
        let entry_point = if self.tls { "websecure" } else { "web" };
        let mut tags = vec![
            "traefik.enable=true".to_owned(),
            format!("{router}.rule={rule}"),
            format!("{router}.entrypoints={entry_point}"),
        ];
        if self.tls {
            tags.push(format!("{router}.tls=true"));
        }
        let mut middlewares = self.middleware.clone();
        if let (true, Some(prefix)) = (self.strip_prefix, &self.path_prefix) {
            let strip = format!("{name}-strip");
            tags.push(format!(
                "traefik.http.middlewares.{strip}.stripprefix.prefixes={prefix}"
            ));
            // First, so that the others see the path that the component sees.
            middlewares.insert(0, strip);
        }
        if !middlewares.is_empty() {
            tags.push(format!("{router}.middlewares={}", middlewares.join(",")));
        }
        tags
    }
}
