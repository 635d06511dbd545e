//! `networkscope.nomad.oam.dev`: the network of the components, and the mesh.
//!
//! The network of the task group (<https://developer.hashicorp.com/nomad/docs/job-specification/network>)
//! and the `connect` of its service (<https://developer.hashicorp.com/nomad/docs/job-specification/connect>).

use serde::Deserialize;

use super::{Definition, Scope};
use crate::nomad::job::{Cni, Dns};
use crate::oam::def::{Block, Field, Kind, NAME};
use crate::oam::{Node, Path, Problem, form};
use crate::translate::{Draft, Mesh};

/// The definition.
pub const DEFINITION: Definition = Definition {
    id: "network",
    kind: "networkscope.nomad.oam.dev",
    field: "network_scope",
    block: &BLOCK,
    check,
    check_component,
    parse: |name, json| {
        let fields: Fields = serde_json::from_value(json)?;
        Ok(Box::new(Network {
            name: name.to_owned(),
            fields,
        }))
    },
};

/// The fields.
pub static BLOCK: Block = Block {
    name: "network_scope",
    doc: "The network of an application's components, and whether they are in Consul's mesh.",
    label: Some(NAME),
    fields: &[
        Field {
            name: "network_mode",
            oam: "networkMode",
            kind: Kind::Enum(&["bridge", "host", "overlay"]),
            required: false,
            doc: "`bridge` (the default): each instance has a network of its own, bridged to its \
                  node's. `host`: the node's network. `overlay`: the CNI network that has the \
                  scope's name on the nodes.",
        },
        Field {
            name: "subnet",
            oam: "subnet",
            kind: Kind::Text(&form::CIDR),
            required: false,
            doc: "The range of addresses that the CNI plugin of an `overlay` gives to instances, \
                  handed to it as the argument `subnet`.",
        },
        Field {
            name: "dns_servers",
            oam: "dnsServers",
            kind: Kind::List(&form::ADDRESS),
            required: false,
            doc: "Name servers of the instances; the node's otherwise.",
        },
        Field {
            name: "service_mesh",
            oam: "serviceMesh",
            kind: Kind::Bool,
            required: false,
            doc: "Whether the components are in Consul's service mesh.",
        },
        Field {
            name: "connect_sidecar",
            oam: "connectSidecar",
            kind: Kind::Bool,
            required: false,
            doc: "With `service_mesh`: whether each instance has a proxy beside it (the default), or \
                  speaks the mesh's protocol by itself.",
        },
    ],
};

#[derive(Debug)]
struct Network {
    name: String,
    fields: Fields,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    network_mode: Option<String>,
    subnet: Option<String>,
    #[serde(default)]
    dns_servers: Vec<String>,
    #[serde(default)]
    service_mesh: bool,
    connect_sidecar: Option<bool>,
}

fn check(scope: &Node, path: &Path, problems: &mut Vec<Problem>) {
    let mode = match scope.get("network_mode") {
        Node::Null => Some("bridge"),
        mode => mode.as_str(),
    };
    let Some(mode) = mode else { return };
    if mode != "overlay" && !scope.get("subnet").is_null() {
        problems.push(Problem::error(
            path.field("subnet"),
            "A subnet without an overlay",
            format!(
                "In the mode `{mode}` Nomad gives the addresses. Remove `subnet`, or set \
                 `network_mode` to `overlay`."
            ),
        ));
    }
    let meshed = *scope.get("service_mesh") == Node::Bool(true);
    if meshed && mode == "host" {
        problems.push(Problem::error(
            path.field("service_mesh"),
            "No mesh in the host's network",
            "The proxies of the mesh need a network of their own. Set `network_mode` to `bridge`.",
        ));
    }
    if !meshed
        && *scope.get("service_mesh") != Node::Unknown
        && !scope.get("connect_sidecar").is_null()
    {
        problems.push(Problem::error(
            path.field("connect_sidecar"),
            "A sidecar without a mesh",
            "`connect_sidecar` says how components are in the mesh. Set `service_mesh = true`, or \
             remove this.",
        ));
    }
}

fn check_component(
    application: &Node,
    scope: &Node,
    name: &str,
    component: &Node,
    problems: &mut Vec<Problem>,
) {
    let path = Path::component(name);
    // What is not known yet is taken for what fits.
    let mode = match scope.get("network_mode") {
        _ if scope.is_unknown() => "host",
        Node::Null => "bridge",
        mode => mode.as_str().unwrap_or("host"),
    };
    let machine = component.get("type").as_str() == Some("vmworkload.nomad.oam.dev");
    let (driver, owner) = match component.get("driver").as_str() {
        None if machine => (Some("qemu"), "type"),
        driver => (driver, "driver"),
    };
    if let (true, Some(driver @ ("raw_exec" | "qemu"))) = (mode != "host", driver) {
        problems.push(Problem::error(
            path.field(owner),
            format!("`{driver}` has no network of its own"),
            format!(
                "The network scope puts the component in the mode `{mode}`, and the driver knows \
                 only the host's network. Use an image or the driver `exec`, or another scope."
            ),
        ));
    }
    let mesh = scope.get("service_mesh");
    let meshed = *mesh == Node::Bool(true);
    let unknown = mesh.is_unknown() || scope.is_unknown();
    let tenant = application.get("tenant").as_str().unwrap_or_default();
    if meshed && tenant.bytes().any(|b| b.is_ascii_uppercase()) {
        problems.push(Problem::error(
            Path::default().field("tenant"),
            "Capital letters in the mesh",
            "The tenant's name is part of its services' names, and those in the mesh have no \
             capital letters. Name the tenant in lower case, or leave the mesh.",
        ));
    }
    if meshed && *scope.get("connect_sidecar") != Node::Bool(false) {
        tcp_checks(component, &path, problems);
    }
    if !meshed
        && !unknown
        && !component
            .get("upstream")
            .as_map()
            .is_none_or(|all| all.is_empty())
    {
        problems.push(no_mesh(&path));
    }
}

/// A TCP check would find the proxy, and not what is behind it (`Service.Validate` in Nomad's
/// `nomad/structs/services.go`).
fn tcp_checks(component: &Node, path: &Path, problems: &mut Vec<Problem>) {
    let discovery = component.get("service_discovery");
    let mut checks = vec![(component.get("health_check"), path.field("health_check"))];
    // A service of another name is not the one in the mesh.
    if discovery.get("service_name").is_null() {
        checks.push((
            discovery.get("check"),
            path.field("service_discovery").field("check"),
        ));
    }
    for (check, path) in checks {
        if check.get("type").as_str() == Some("tcp") {
            problems.push(Problem::error(
                path.field("type"),
                "A TCP check in the mesh",
                "Nomad takes no TCP checks of services in the mesh. Use an `http` check, or leave the mesh.",
            ));
        }
    }
}

/// Upstreams where there is no mesh.
pub fn no_mesh(component: &Path) -> Problem {
    Problem::error(
        component.field("upstream"),
        "No mesh to call through",
        "An `upstream` is reached through Consul's mesh. Put the application in a network scope with \
         `service_mesh = true`, or remove this.",
    )
}

impl Scope for Network {
    fn translate(&self, draft: &mut Draft<'_>) {
        let fields = &self.fields;
        let mode = match fields.network_mode.as_deref().unwrap_or("bridge") {
            "overlay" => format!("cni/{}", self.name),
            mode => mode.to_owned(),
        };
        draft.network.mode = Some(mode);
        if !fields.dns_servers.is_empty() {
            draft.network.dns = Some(Dns {
                servers: fields.dns_servers.clone(),
            });
        }
        if let Some(subnet) = &fields.subnet {
            draft.network.cni = Some(Cni {
                args: [("subnet".to_owned(), subnet.clone())].into(),
            });
        }
        if fields.service_mesh {
            draft.mesh = Some(match fields.connect_sidecar {
                Some(false) => Mesh::Native,
                _ => Mesh::Sidecar,
            });
        }
    }
}
