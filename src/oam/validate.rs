//! The checks: first those that a definition implies, then those of components as a whole.

use std::collections::BTreeMap;

use super::application::usual_port;
use super::def::{Block, Field, Kind};
use super::{ComponentType, Node, Path, Problem, units};
use crate::traits;

/// Checks a block against its definition. What is unknown is passed over.
pub fn block(definition: &Block, node: &Node, path: &Path, problems: &mut Vec<Problem>) {
    let Node::Map(entries) = node else {
        if !matches!(node, Node::Unknown | Node::Null) {
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
                if !is_label(label) {
                    problems.push(not_a_label(&path.field(inner.label), label));
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
        (Kind::StringList | Kind::WordList, Node::List(items)) => {
            for (index, item) in items.iter().enumerate() {
                let path = path.index(index);
                match (&field.kind, item) {
                    (_, Node::Unknown) => {}
                    (Kind::WordList, Node::String(text)) if !is_word(text) => {
                        problems.push(not_a_word(&path, text));
                    }
                    (_, Node::String(_)) => {}
                    _ => problems.push(not_text(&path)),
                }
            }
        }
        (Kind::StringMap, Node::Map(entries)) => {
            for (key, item) in entries {
                if !matches!(item, Node::String(_) | Node::Unknown) {
                    problems.push(not_text(&path.key(key)));
                }
            }
        }
        (kind, Node::String(text)) => problems.extend(text_problem(kind, text, path)),
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

fn not_a_label(path: &Path, text: &str) -> Problem {
    Problem::error(
        path.clone(),
        format!("{text:?} is not a name"),
        "A name here has at most 63 lower-case letters, digits and hyphens, and begins and ends \
         with a letter or a digit.",
    )
}

fn not_a_word(path: &Path, text: &str) -> Problem {
    Problem::error(
        path.clone(),
        format!("{text:?} has a character that is not allowed"),
        "Letters, digits and `- _ . @ / +` are allowed here, so that the text cannot mean \
         something else in Traefik's or Nomad's configuration.",
    )
}

fn text_problem(kind: &Kind, text: &str, path: &Path) -> Option<Problem> {
    let error = |summary: String, detail: &str| Some(Problem::error(path.clone(), summary, detail));
    match kind {
        Kind::Cpu if units::mhz(text).is_none() => error(
            format!("{text:?} is not an amount of CPU"),
            "Write thousandths of a core, such as `500m`, or cores, such as `1` or `0.5`.",
        ),
        Kind::Memory if units::mib(text).is_none() => error(
            format!("{text:?} is not an amount of memory"),
            "Write it with a unit, such as `256Mi` or `1Gi`.",
        ),
        Kind::Duration if units::duration(text).is_none() => error(
            format!("{text:?} is not a duration"),
            "Write it with a unit, such as `30s`, `5m` or `1h30m`.",
        ),
        Kind::Enum(values) if !values.contains(&text) => {
            let all: Vec<_> = values.iter().map(|value| format!("`{value}`")).collect();
            let mut detail = format!("It must be one of {}.", all.join(", "));
            if let Some(nearest) = nearest(text, values) {
                detail.push_str(&format!(" Did you mean `{nearest}`?"));
            }
            error(format!("Unknown value {text:?}"), &detail)
        }
        Kind::Cron if !is_schedule(text) => error(
            format!("{text:?} is not a schedule"),
            "Write five fields (minute, hour, day of month, month, day of week), such as \
             `*/15 * * * *`, or one of `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`.",
        ),
        Kind::Label if !is_label(text) => Some(not_a_label(path, text)),
        Kind::Tenant
            if !(2..=32).contains(&text.len())
                || !text.bytes().all(|b| b.is_ascii_alphanumeric()) =>
        {
            error(
                format!("{text:?} is not the name of a tenant"),
                "A tenant's name has 2 to 32 letters and digits.",
            )
        }
        Kind::Host if !is_host(text) => error(
            format!("{text:?} is not a host name"),
            "Write a DNS name, such as `shop.example.com`, without scheme, port or path.",
        ),
        Kind::AbsolutePath if !is_absolute_path(text) => error(
            format!("{text:?} is not a path"),
            "A path begins with `/`, and has neither spaces nor backticks, quotes or `..` in it.",
        ),
        Kind::Word if !is_word(text) => Some(not_a_word(path, text)),
        Kind::String
        | Kind::Cpu
        | Kind::Memory
        | Kind::Duration
        | Kind::Enum(_)
        | Kind::Cron
        | Kind::Label
        | Kind::Tenant
        | Kind::Host
        | Kind::AbsolutePath
        | Kind::Word => None,
        _ => error(
            "Wrong kind of value".to_owned(),
            "Text is not what belongs here.",
        ),
    }
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

/// A DNS label in lower case.
pub fn is_label(text: &str) -> bool {
    let inside = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !text.is_empty()
        && text.len() <= 63
        && text.bytes().all(inside)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn is_host(text: &str) -> bool {
    let label = |label: &str| is_label(&label.to_ascii_lowercase());
    text.len() <= 253 && text.split('.').all(label)
}

fn is_absolute_path(text: &str) -> bool {
    let harmless = |c: char| !c.is_whitespace() && !c.is_control() && !"`\"'\\,$".contains(c);
    text.starts_with('/') && text.chars().all(harmless) && !text.split('/').any(|part| part == "..")
}

fn is_word(text: &str) -> bool {
    let inside = |b: u8| b.is_ascii_alphanumeric() || b"-_.@/+".contains(&b);
    !text.is_empty() && text.len() <= 128 && text.bytes().all(inside)
}

/// What Nomad's parser for `cron` takes, but for its years and seconds.
fn is_schedule(text: &str) -> bool {
    if let Some(word) = text.strip_prefix('@') {
        let known = ["annually", "yearly", "monthly", "weekly", "daily", "hourly"];
        return known.contains(&word);
    }
    let fields: Vec<_> = text.split_ascii_whitespace().collect();
    // What the crate takes, and Nomad's cronexpr does not: `+` and a bare `L` for days of the week, and
    // steps that are longer than the field.
    let longest = [59, 23, 31, 12, 6];
    let fits = |(field, longest): (&&str, u32)| {
        let steps = field.split(',').filter_map(|part| part.split_once('/'));
        steps
            .into_iter()
            .all(|(_, step)| step.parse::<u32>().is_ok_and(|step| step <= longest))
    };
    fields.len() == longest.len()
        && !text.contains('+')
        && fields
            .last()
            .is_some_and(|days| !days.eq_ignore_ascii_case("L"))
        && fields.iter().zip(longest).all(fits)
        && fields.join(" ").parse::<croner::Cron>().is_ok()
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
    program(node, &path, problems);
    schedule(kind, node, &path, problems);
    ports(kind, node, &path, problems);
    check_port(node, "health_check", &path, problems);
    if let Some(kind) = kind {
        for definition in traits::ALL {
            let value = node.get(definition.field.name);
            let path = path.field(definition.field.name);
            if value.is_null() {
                continue;
            }
            if !definition.applies_to.contains(&kind) {
                problems.push(does_not_apply(definition, node, &path));
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

fn program(node: &Node, path: &Path, problems: &mut Vec<Problem>) {
    let (image, command, driver) = (node.get("image"), node.get("command"), node.get("driver"));
    let empty = |node: &Node| match node {
        Node::Null => true,
        Node::List(items) => items.is_empty(),
        Node::String(text) => text.is_empty(),
        _ => false,
    };
    if empty(image) && empty(command) {
        problems.push(Problem::error(
            path.field("image"),
            "Nothing to run",
            "A component needs an `image` for Docker, or a `command` for the `exec` driver.",
        ));
    }
    match driver.as_str() {
        Some("docker") if empty(image) && !image.is_unknown() => problems.push(Problem::error(
            path.field("driver"),
            "Docker without an image",
            "The driver `docker` needs an `image`.",
        )),
        Some(driver @ ("exec" | "raw_exec")) if !empty(image) => problems.push(Problem::error(
            path.field("image"),
            "An image without Docker",
            format!("The driver `{driver}` runs a `command`, not an image. Remove one of them."),
        )),
        _ => {}
    }
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

fn ports(kind: Option<ComponentType>, node: &Node, path: &Path, problems: &mut Vec<Problem>) {
    let ports = node.get("port");
    let none = match ports {
        Node::Null => true,
        Node::Map(entries) => entries.is_empty(),
        _ => false,
    };
    if none && kind == Some(ComponentType::Webservice) {
        problems.push(Problem::error(
            path.field("port"),
            "Missing \"port\"",
            "A component of type `webservice` serves at least one `port`. One that serves none is \
             a `worker`.",
        ));
    }
    let mut seen = BTreeMap::new();
    for (label, port) in ports.as_map().into_iter().flatten() {
        let path = path.field("port").key(label);
        // Nomad passes it to the task as NOMAD_PORT_<label>.
        if label.len() > 40 {
            problems.push(not_a_label(&path.field("name"), label));
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
        if let Some(other) = seen.insert((number, protocol.to_owned()), label) {
            problems.push(Problem::error(
                path.field("port"),
                format!("Duplicate port {number}"),
                format!("The port {other:?} of this component has the same number and protocol."),
            ));
        }
    }
}

/// A block that serves or checks one of the component's ports.
pub fn check_port(node: &Node, block: &'static str, path: &Path, problems: &mut Vec<Problem>) {
    let inner = node.get(block);
    let ports = node.get("port");
    if inner.is_null() || ports.is_unknown() || inner.is_unknown() {
        return;
    }
    let none = BTreeMap::new();
    let labels = ports.as_map().unwrap_or(&none);
    let path = path.field(block);
    let listed = || {
        labels
            .keys()
            .map(|label| format!("`{label}`"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    match inner.get("port") {
        _ if labels.is_empty() => problems.push(Problem::error(
            path,
            "No port",
            format!("`{block}` needs a `port` block in the component."),
        )),
        Node::Null if usual_port(labels.keys().map(String::as_str)).is_none() => {
            problems.push(Problem::error(
                path,
                "Which port?",
                format!(
                    "The component has several ports and none labelled `http`. Set `port` to one \
                     of {}.",
                    listed()
                ),
            ));
        }
        Node::String(label) if !labels.contains_key(label) => problems.push(Problem::error(
            path.field("port"),
            format!("No port {label:?}"),
            format!("The component has the ports {}.", listed()),
        )),
        _ => {}
    }
}
