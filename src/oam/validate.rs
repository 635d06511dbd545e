//! The checks: first those that a definition implies, then those of components as a whole.

use std::collections::BTreeMap;

use super::application::usual_port;
use super::def::{Block, Field, Kind, Label};
use super::form::{self, Form};
use super::{ComponentType, Node, Path, Problem};
use crate::traits;

/// Checks a block against its definition. What is unknown is passed over.
pub fn block(definition: &Block, node: &Node, path: &Path, problems: &mut Vec<Problem>) {
    let Node::Map(entries) = node else {
        if !node.is_unknown() {
            problems.push(Problem::error(
                path.clone(),
                "Not a block",
                format!("`{}` has fields of its own.", definition.name),
            ));
        }
        return;
    };
    for name in entries.keys() {
        if definition.field(name).is_none() {
            problems.push(Problem::error(
                path.clone(),
                format!("Unknown field {name:?}"),
                format!(
                    "`{}` has no such field. Check its spelling.",
                    definition.name
                ),
            ));
        }
    }
    for field in definition.fields() {
        let value = node.get(field.name);
        if value.is_null() {
            if field.required {
                problems.push(missing(definition, field, path));
            }
            continue;
        }
        check(field, value, &path.field(field.name), problems);
    }
}

/// At the missing field itself, which Terraform shows as the first line of the block.
fn missing(definition: &Block, field: &Field, path: &Path) -> Problem {
    Problem::error(
        path.field(field.name),
        format!("Missing {:?}", field.name),
        format!("`{}` needs it: {}", definition.name, field.doc),
    )
}

fn check(field: &Field, value: &Node, path: &Path, problems: &mut Vec<Problem>) {
    match (&field.kind, value) {
        (_, Node::Unknown) => {}
        (Kind::Single(inner), _) => block(inner, value, path, problems),
        (Kind::Labelled(inner), Node::Map(entries)) => {
            for (label, node) in entries {
                let path = path.key(label);
                if let Some(Label { oam, form }) = inner.label {
                    problems.extend(misformed(form, label, &path.field(oam)));
                }
                block(inner, node, &path, problems);
            }
        }
        (Kind::Bool, Node::Bool(_)) => {}
        (Kind::Integer { min, max }, Node::Number(number)) => {
            let inside = number.as_i64().is_some_and(|n| (*min..=*max).contains(&n));
            if !inside {
                problems.push(Problem::error(
                    path.clone(),
                    format!("{number} is out of range"),
                    format!("It must be a whole number between {min} and {max}."),
                ));
            }
        }
        (Kind::List(form), Node::List(items)) => {
            for (index, item) in items.iter().enumerate() {
                let path = path.index(index);
                match item {
                    Node::Unknown => {}
                    Node::String(text) => problems.extend(misformed(form, text, &path)),
                    _ => problems.push(not_text(&path)),
                }
            }
        }
        (Kind::Map(..) | Kind::Variables, Node::Map(entries)) => {
            let (keys, values) = match field.kind {
                Kind::Map(keys, values) => (keys, values),
                _ => (&form::VARIABLE, &form::TEXT),
            };
            for (key, item) in entries {
                problems.extend(misformed(keys, key, path));
                let path = path.key(key);
                match item {
                    Node::Unknown => {}
                    Node::String(text) => problems.extend(misformed(values, text, &path)),
                    _ => problems.push(not_text(&path)),
                }
            }
        }
        (Kind::Repeated(inner), Node::List(items)) => {
            for (index, item) in items.iter().enumerate() {
                block(inner, item, &path.index(index), problems);
            }
        }
        (Kind::Text(form), Node::String(text)) => problems.extend(misformed(form, text, path)),
        (Kind::Enum(values), Node::String(text)) => {
            problems.extend(not_one_of(values, text, path));
        }
        _ => problems.push(Problem::error(
            path.clone(),
            "Wrong kind of value",
            format!(
                "`{}` takes another kind of value: {}",
                field.name, field.doc
            ),
        )),
    }
}

fn not_text(path: &Path) -> Problem {
    Problem::error(
        path.clone(),
        "Not text",
        "Every value here must be text, and not null.",
    )
}

fn misformed(form: &Form, text: &str, path: &Path) -> Option<Problem> {
    (!(form.check)(text)).then(|| {
        Problem::error(
            path.clone(),
            format!("{text:?} is not {}", form.what),
            form.how,
        )
    })
}

fn not_one_of(values: &[&str], text: &str, path: &Path) -> Option<Problem> {
    if values.contains(&text) {
        return None;
    }
    let all: Vec<_> = values.iter().map(|value| format!("`{value}`")).collect();
    let mut detail = format!("It must be one of {}.", all.join(", "));
    if let Some(nearest) = nearest(text, values) {
        detail.push_str(&format!(" Did you mean `{nearest}`?"));
    }
    Some(Problem::error(
        path.clone(),
        format!("Unknown value {text:?}"),
        detail,
    ))
}

/// The value that is only a letter or two away.
pub(super) fn nearest<'v>(text: &str, values: &[&'v str]) -> Option<&'v str> {
    let close = |value: &&&str| distance(text, value) <= 2;
    values
        .iter()
        .filter(close)
        .min_by_key(|value| distance(text, value))
        .copied()
}

/// Levenshtein's distance.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let replace = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replace.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

/// What concerns a component as a whole.
pub fn component(application: &Node, name: &str, node: &Node, problems: &mut Vec<Problem>) {
    let path = Path::component(name);
    if let Some(application) = application.get("name").as_str() {
        let id = super::job_id(application, name);
        if id.len() > 128 {
            problems.push(Problem::error(
                path.field("name"),
                "Name too long",
                format!("The job would be named {id:?}, which is longer than 128 characters."),
            ));
        }
    }
    let kind = node.get("type").as_str().and_then(ComponentType::from_name);
    program(kind, node, &path, problems);
    variables(node, &path, problems);
    containers(node, &path, problems);
    schedule(kind, node, &path, problems);
    ports(kind, node, &path, problems);
    upstreams(node, &path, problems);
    check_port(
        node,
        node.get("health_check"),
        &path.field("health_check"),
        problems,
    );
    if let Some(kind) = kind {
        for definition in traits::ALL {
            let value = node.get(definition.field.name);
            let path = path.field(definition.field.name);
            if value.is_null() {
                continue;
            }
            if !definition.applies_to.contains(&kind) {
                let none = matches!(definition.field.kind, Kind::Labelled(_))
                    && value.as_map().is_some_and(BTreeMap::is_empty);
                if !none {
                    problems.push(does_not_apply(definition, node, &path));
                }
                continue;
            }
            (definition.check)(node, &path, problems);
        }
    }
}

fn does_not_apply(definition: &traits::Definition, node: &Node, path: &Path) -> Problem {
    let kind = node.get("type").as_str().unwrap_or_default();
    Problem::error(
        path.clone(),
        format!("The trait {:?} does not apply here", definition.field.name),
        format!(
            "{} Remove it from this component of type `{kind}`.",
            definition.why_not
        ),
    )
}

/// Whether there is nothing, as far as it is known.
fn is_empty(node: &Node) -> bool {
    match node {
        Node::Null => true,
        Node::List(items) => items.is_empty(),
        Node::Map(entries) => entries.is_empty(),
        Node::String(text) => text.is_empty(),
        _ => false,
    }
}

fn program(kind: Option<ComponentType>, node: &Node, path: &Path, problems: &mut Vec<Problem>) {
    let (image, command, driver) = (node.get("image"), node.get("command"), node.get("driver"));
    let error = |name: &'static str, summary: &str, detail: String| {
        Problem::error(path.field(name), summary, detail)
    };
    if is_empty(image) && is_empty(command) {
        if is_empty(node.get("container")) {
            problems.push(error(
                "image",
                "Nothing to run",
                "A component needs an `image` for Docker, a `command` for the `exec` driver, or \
                 `container` blocks."
                    .to_owned(),
            ));
        }
        for name in ["args", "resources", "port"] {
            if !is_empty(node.get("container")) && !is_empty(node.get(name)) {
                problems.push(error(
                    name,
                    "A component without a program of its own",
                    format!(
                        "It has `container` blocks alone, and `{name}` is each container's own. Move it \
                         there, or set `image`."
                    ),
                ));
            }
        }
    }
    let wrong = match (kind, driver.as_str()) {
        (Some(ComponentType::Vm), Some(driver)) if driver != "qemu" => {
            Some("A virtual machine has the driver `qemu`.")
        }
        (Some(ComponentType::Containerized), Some(driver)) if driver != "docker" => {
            Some("Containers have the driver `docker`.")
        }
        (Some(ComponentType::Executable), Some("docker" | "qemu")) => {
            Some("A program has the driver `exec` or `raw_exec`.")
        }
        (Some(kind), Some("qemu")) if kind != ComponentType::Vm => {
            Some("The driver `qemu` is for the type `vmworkload.nomad.oam.dev`.")
        }
        _ => None,
    };
    if let Some(wrong) = wrong {
        let detail = format!("{wrong} Remove `driver`, or change the type.");
        problems.push(error("driver", "Not a driver of this type", detail));
        return;
    }
    match (kind, driver.as_str()) {
        (Some(ComponentType::Vm), _) => {
            if is_empty(image) {
                problems.push(error(
                    "image",
                    "A virtual machine without a disk",
                    "Set `image` to the path of its disk image on the nodes.".to_owned(),
                ));
            }
            for name in ["command", "image_pull_secret", "container"] {
                if !is_empty(node.get(name)) {
                    problems.push(error(
                        name,
                        "Not for a virtual machine",
                        format!("`{name}` is for programs and containers. Remove it, or change the type."),
                    ));
                }
            }
        }
        (Some(ComponentType::Containerized), _) if is_empty(image) && !is_empty(command) => {
            problems.push(error(
                "image",
                "A container without an image",
                "A component of this type needs an `image`, or `container` blocks with one."
                    .to_owned(),
            ));
        }
        (Some(ComponentType::Executable), _) if !is_empty(image) => problems.push(error(
            "image",
            "An image where a program belongs",
            "A component of this type runs a `command`. Remove `image`, or use the type \
             `batchworkload.nomad.oam.dev`."
                .to_owned(),
        )),
        (_, Some("docker")) if is_empty(image) && is_empty(node.get("container")) => {
            problems.push(error(
                "driver",
                "Docker without an image",
                "The driver `docker` needs an `image`.".to_owned(),
            ));
        }
        (_, Some(driver @ ("exec" | "raw_exec"))) if !is_empty(image) => problems.push(error(
            "image",
            "An image without Docker",
            format!("The driver `{driver}` runs a `command`, not an image. Remove one of them."),
        )),
        _ => {}
    }
    empty_command(command, path, problems);
}

fn empty_command(command: &Node, path: &Path, problems: &mut Vec<Problem>) {
    if let Node::List(items) = command
        && items
            .first()
            .is_some_and(|first| first.as_str() == Some(""))
    {
        problems.push(Problem::error(
            path.field("command").index(0),
            "Empty command",
            "The first element of `command` is the program to run.",
        ));
    }
}

/// Each variable has one source.
fn variables(node: &Node, path: &Path, problems: &mut Vec<Problem>) {
    for (name, from) in node.get("env_from").as_map().into_iter().flatten() {
        let path = path.field("env_from").key(name);
        if !node.get("env").get(name).is_null() {
            problems.push(Problem::error(
                path.clone(),
                format!("{name:?} is taken"),
                "`env` sets the same variable. Remove one of them.",
            ));
        }
        let sources = [from.get("vault_secret"), from.get("consul_key")];
        let known = !from.is_unknown() && !sources.iter().any(|source| source.is_unknown());
        if known && sources.iter().filter(|source| !source.is_null()).count() != 1 {
            problems.push(Problem::error(
                path,
                "One source",
                "A variable comes either from a `vault_secret` or from a `consul_key`.",
            ));
        }
    }
}

fn containers(node: &Node, path: &Path, problems: &mut Vec<Problem>) {
    let own = path.0.last().and_then(|step| match step {
        super::Step::Key(name) => Some(&**name),
        _ => None,
    });
    let program = !is_empty(node.get("image")) || !is_empty(node.get("command"));
    let mut taken: BTreeMap<&str, &str> = own
        .filter(|_| program)
        .map(|name| (name, "the component's own program"))
        .into_iter()
        .collect();
    for (block, what) in [("container", "a container"), ("sidecar", "a sidecar")] {
        for (name, container) in node.get(block).as_map().into_iter().flatten() {
            let path = path.field(block).key(name);
            if let Some(other) = taken.insert(name, what) {
                problems.push(Problem::error(
                    path.field("name"),
                    format!("{name:?} is taken"),
                    format!("Nomad knows tasks by name, and {other} has this one. Choose another."),
                ));
            }
            if name == "alloc" {
                problems.push(super::limits::nomads_own(&path));
            }
            if block == "container" {
                self::container(node, container, &path, problems);
            }
        }
    }
}

/// A container or a sidecar of a component.
pub fn container(component: &Node, node: &Node, path: &Path, problems: &mut Vec<Problem>) {
    let (image, command) = (node.get("image"), node.get("command"));
    if node.is_unknown() {
        return;
    }
    if is_empty(image) && is_empty(command) {
        problems.push(Problem::error(
            path.field("image"),
            "Nothing to run",
            "A container needs an `image`, or a `command` for the component's driver.",
        ));
    }
    if component.get("type").as_str() == Some("containerizedworkload.nomad.oam.dev")
        && is_empty(image)
    {
        problems.push(Problem::error(
            path.field("image"),
            "A container without an image",
            "The containers of a component of this type have an `image`.",
        ));
    }
    empty_command(command, path, problems);
    super::limits::resources(node, path, problems);
    let volumes = component.get("volume");
    let mounts = match node.get("volume") {
        Node::List(mounts) => mounts.as_slice(),
        _ => &[],
    };
    for (index, mount) in mounts.iter().enumerate() {
        let path = path.field("volume").index(index);
        let Some(source) = mount.get("source").as_str() else {
            continue;
        };
        if source.starts_with('/') {
            let destination = mount.get("destination").as_str().unwrap_or_default();
            if destination.contains(':') {
                problems.push(Problem::error(
                    path.field("destination"),
                    "A colon in the path of a folder",
                    "Docker takes what follows a colon for an option of the mount. Choose another path.",
                ));
            }
            if is_empty(image) {
                problems.push(Problem::error(
                    path.field("source"),
                    "A folder without Docker",
                    "Only a container with an `image` can mount a folder of the node. Use a `volume` of \
                     the component.",
                ));
            }
        } else if volumes.get(source).is_null() && !volumes.is_unknown() {
            problems.push(Problem::error(
                path.field("source"),
                format!("No volume {source:?}"),
                "The component has no `volume` of that name. Add one, or name a folder of the node from \
                 the root.",
            ));
        }
    }
}

fn upstreams(node: &Node, path: &Path, problems: &mut Vec<Problem>) {
    let mut seen = BTreeMap::new();
    for (label, upstream) in node.get("upstream").as_map().into_iter().flatten() {
        let Some(port) = upstream.get("port").as_i64() else {
            continue;
        };
        if let Some(other) = seen.insert(port, label) {
            problems.push(Problem::error(
                path.field("upstream").key(label).field("port"),
                format!("Duplicate port {port}"),
                format!("The upstream {other:?} of this component is reached at the same port."),
            ));
        }
    }
}

fn schedule(kind: Option<ComponentType>, node: &Node, path: &Path, problems: &mut Vec<Problem>) {
    let Some(kind) = kind else { return };
    if kind == ComponentType::CronTask {
        if node.get("schedule").is_null() {
            problems.push(Problem::error(
                path.field("schedule"),
                "Missing \"schedule\"",
                "A component of type `cron-task` needs a `schedule`, such as `0 3 * * *`.",
            ));
        }
        return;
    }
    for name in ["schedule", "time_zone"] {
        if !node.get(name).is_null() {
            problems.push(Problem::error(
                path.field(name),
                "Not a scheduled component",
                format!(
                    "`{name}` is for components of type `cron-task`. Remove it, or change the type."
                ),
            ));
        }
    }
}

/// The blocks that have ports, each with its path: the component itself, its containers and sidecars.
pub fn port_blocks(node: &Node, path: &Path) -> Vec<(Path, Node)> {
    let mut all = vec![(path.field("port"), node.get("port").clone())];
    for block in ["container", "sidecar"] {
        for (name, inner) in node.get(block).as_map().into_iter().flatten() {
            let path = path.field(block).key(name).field("port");
            let ports = match inner {
                Node::Unknown => Node::Unknown,
                inner => inner.get("port").clone(),
            };
            all.push((path, ports));
        }
        if node.get(block).is_unknown() {
            all.push((path.field(block), Node::Unknown));
        }
    }
    all
}

/// The labels of the ports that a component serves; `None` where some are not known.
fn port_labels(node: &Node) -> Option<Vec<String>> {
    let mut labels = Vec::new();
    for (_, ports) in port_blocks(node, &Path::default()) {
        if ports.is_unknown() {
            return None;
        }
        labels.extend(
            ports
                .as_map()
                .into_iter()
                .flatten()
                .map(|(label, _)| label.clone()),
        );
    }
    Some(labels)
}

fn ports(kind: Option<ComponentType>, node: &Node, path: &Path, problems: &mut Vec<Problem>) {
    let none = port_labels(node).is_some_and(|labels| labels.is_empty());
    if none && kind == Some(ComponentType::Webservice) {
        problems.push(Problem::error(
            path.field("port"),
            "Missing \"port\"",
            "A component of type `webservice` serves at least one `port`. One that serves none is \
             a `worker`.",
        ));
    }
    let mut labels = BTreeMap::new();
    let mut seen = BTreeMap::new();
    for (path, ports) in port_blocks(node, path) {
        for (label, port) in ports.as_map().into_iter().flatten() {
            let path = path.key(label);
            // Nomad passes it to the task as NOMAD_PORT_<label>.
            if label.len() > 40 {
                problems.push(Problem::error(
                    path.field("name"),
                    format!("{label:?} is too long"),
                    "The name of a port has at most 40 characters.",
                ));
            }
            if labels.insert(label.clone(), ()).is_some() {
                problems.push(Problem::error(
                    path.field("name"),
                    format!("Duplicate port {label:?}"),
                    "Another port of this component has the same name. Choose another.",
                ));
            }
            let Some(number) = port.get("port").as_i64() else {
                continue;
            };
            let protocol = match port.get("protocol") {
                Node::Null => "TCP",
                protocol => match protocol.as_str() {
                    Some(protocol) => protocol,
                    None => continue,
                },
            };
            if let Some(other) = seen.insert((number, protocol.to_owned()), label.clone()) {
                problems.push(Problem::error(
                    path.field("port"),
                    format!("Duplicate port {number}"),
                    format!(
                        "The port {other:?} of this component has the same number and protocol."
                    ),
                ));
            }
        }
    }
}

/// A block that serves or checks one of the component's ports, at its path.
pub fn check_port(node: &Node, inner: &Node, path: &Path, problems: &mut Vec<Problem>) {
    if inner.is_null() || inner.is_unknown() {
        return;
    }
    let Some(labels) = port_labels(node) else {
        return;
    };
    let listed = || {
        let labels: Vec<_> = labels.iter().map(|label| format!("`{label}`")).collect();
        labels.join(", ")
    };
    match inner.get("port") {
        _ if labels.is_empty() => problems.push(Problem::error(
            path.clone(),
            "No port",
            "This needs a `port` block in the component.",
        )),
        Node::Null if usual_port(labels.iter().map(String::as_str)).is_none() => {
            problems.push(Problem::error(
                path.clone(),
                "Which port?",
                format!(
                    "The component has several ports and none labelled `http`. Set `port` to one \
                     of {}.",
                    listed()
                ),
            ));
        }
        Node::String(label) if !labels.contains(label) => problems.push(Problem::error(
            path.field("port"),
            format!("No port {label:?}"),
            format!("The component has the ports {}.", listed()),
        )),
        _ => {}
    }
}
