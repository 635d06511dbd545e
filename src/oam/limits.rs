//! What Nomad would refuse, found before anything is sent to it.
//!
//! The rules are those of `Validate` in Nomad's `nomad/structs/structs.go`, `services.go` and
//! `volumes.go`. A job that is refused in the middle of an apply leaves the others changed, so what can
//! be known is said at `terraform validate`.

use std::collections::BTreeMap;

use super::application::Life;
use super::validate::port_blocks;
use super::{ComponentType, Node, Path, Problem, units};

/// The longest name of a service: a DNS label.
const LONGEST_SERVICE: usize = 63;
/// MHz, of 256 cores: more is a mistake about the unit.
const MOST_CPU: u64 = 256_000;
/// MiB: `MinResources`.
const LEAST_MEMORY: u64 = 10;
/// `RestartPolicyMinInterval`.
const LEAST_INTERVAL: i64 = 5 * SECOND;
/// `minCheckInterval` and `minCheckTimeout`.
const LEAST_CHECK: i64 = SECOND;
const SECOND: i64 = 1_000_000_000;

/// Checks a component against the limits, as far as its values are known.
pub fn component(application: &Node, name: &str, node: &Node, problems: &mut Vec<Problem>) {
    let path = Path::component(name);
    names(application, name, node, &path, problems);
    resources(node, &path, problems);
    exposed_ports(node, &path, problems);
    health_check(
        node.get("health_check"),
        &path.field("health_check"),
        problems,
    );
    let kind = node.get("type").as_str().and_then(ComponentType::from_name);
    if let Some(kind) = kind {
        restart_policy(kind, node, &path, problems);
    }
}

/// A task of a name that Nomad has taken.
pub fn nomads_own(path: &Path) -> Problem {
    Problem::error(
        path.field("name"),
        "\"alloc\" is Nomad's own",
        "Nomad has a folder of that name beside those of its tasks. Choose another name.",
    )
}

fn names(application: &Node, name: &str, node: &Node, path: &Path, problems: &mut Vec<Problem>) {
    if name == "alloc" {
        problems.push(nomads_own(path));
    }
    let registers = ["ingress", "health_check", "service_discovery"]
        .into_iter()
        .find(|block| !node.get(block).is_null());
    if application.get("tenant").is_unknown() {
        return;
    }
    let tenant = application.get("tenant").as_str();
    if let (Some(application), Some(block)) = (application.get("name").as_str(), registers) {
        let service = super::service_name(tenant, application, name);
        if service.len() > LONGEST_SERVICE {
            problems.push(Problem::error(
                path.field(block),
                "Name too long for a service",
                format!(
                    "The service would be named {service:?}, which is longer than the \
                     {LONGEST_SERVICE} characters of a DNS label. Shorten the name of the tenant, the \
                     application or the component."
                ),
            ));
        }
    }
}

/// What a task may use: the block that has `resources`, and its path.
pub fn resources(node: &Node, path: &Path, problems: &mut Vec<Problem>) {
    let cpu = node.get("resources").get("cpu").as_str();
    if let Some(text) = cpu
        && units::mhz(text).is_some_and(|mhz| mhz > MOST_CPU)
    {
        problems.push(Problem::error(
            path.field("resources").field("cpu"),
            "More CPU than any node has",
            format!("{text:?} means as many cores. Half a core, or 500 MHz, is `500m`."),
        ));
    }
    let memory = node.get("resources").get("memory").as_str();
    if memory
        .and_then(units::mib)
        .is_some_and(|memory| memory < LEAST_MEMORY)
    {
        problems.push(Problem::error(
            path.field("resources").field("memory"),
            "Too little memory",
            format!("Nomad gives a task `{LEAST_MEMORY}Mi` at least."),
        ));
    }
}

/// A port on the node is for both protocols, so that a number can be there only once.
fn exposed_ports(node: &Node, path: &Path, problems: &mut Vec<Problem>) {
    let blocks = port_blocks(node, path);
    let ports = blocks.iter().flat_map(|(path, ports)| {
        let ports = ports.as_map().into_iter().flatten();
        ports.map(move |(label, port)| (path.key(label), label, port))
    });
    let mut seen: BTreeMap<i64, (&str, &Node)> = BTreeMap::new();
    for (path, label, port) in ports {
        let (Some(number), Node::Bool(true)) = (port.get("port").as_i64(), port.get("expose"))
        else {
            continue;
        };
        let protocol = port.get("protocol");
        if let Some((other, same)) = seen.insert(number, (label, protocol)) {
            // The same protocol is a duplicate port, which is said already.
            let effective = |node: &Node| node.as_str().unwrap_or("TCP").to_owned();
            if effective(protocol) != effective(same) {
                problems.push(Problem::error(
                    path.field("port"),
                    format!("Port {number} is exposed twice"),
                    format!(
                        "Nomad reserves a port of the node for TCP and UDP at once, and {other:?} has \
                         this one. One of the two `port` blocks is enough."
                    ),
                ));
            }
        }
    }
}

/// A check of a service, at its path.
pub fn health_check(check: &Node, path: &Path, problems: &mut Vec<Problem>) {
    for name in ["interval", "timeout"] {
        let given = check.get(name).as_str().and_then(units::nanoseconds);
        if given.is_some_and(|given| given < LEAST_CHECK) {
            problems.push(Problem::error(
                path.field(name),
                "Too short",
                format!("Nomad takes `1s` or more as the `{name}` of a check."),
            ));
        }
    }
    let Some(asked) = check.get("path").as_str() else {
        return;
    };
    if check.get("type").as_str() == Some("tcp") {
        problems.push(Problem::error(
            path.field("path"),
            "A TCP check asks for no path",
            "Remove `path`, or set `type` to `http`.",
        ));
    }
    let is_encoded = |rest: &str| {
        let digits = rest.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if !asked.split('%').skip(1).all(is_encoded) {
        problems.push(Problem::error(
            path.field("path"),
            format!("{asked:?} is not a path of a URL"),
            "Each `%` must be followed by two hexadecimal digits; `%25` stands for the sign itself.",
        ));
    }
}

fn restart_policy(kind: ComponentType, node: &Node, path: &Path, problems: &mut Vec<Problem>) {
    let policy = node.get("restart_policy");
    if policy.as_map().is_none() {
        return;
    }
    let path = path.field("restart_policy");
    // Nomad's own, where nothing is set.
    let (attempts, interval) = match kind {
        kind if kind.life() == Life::Once => (3, 24 * 3600 * SECOND),
        _ => (2, 1800 * SECOND),
    };
    let span = |name, usual| match policy.get(name) {
        Node::Null => Some(usual),
        node => node.as_str().and_then(units::nanoseconds),
    };
    let attempts = match policy.get("attempts") {
        Node::Null => Some(attempts),
        node => node.as_i64(),
    };
    let (interval, delay) = (span("interval", interval), span("delay", 15 * SECOND));
    if attempts == Some(0) && policy.get("mode").as_str() == Some("delay") {
        problems.push(Problem::error(
            path.field("mode"),
            "Nothing to delay",
            "With no `attempts` there is nothing to wait for. Set some, or set `mode` to `fail`.",
        ));
    }
    let (Some(attempts), Some(interval), Some(delay)) = (attempts, interval, delay) else {
        return;
    };
    if interval < LEAST_INTERVAL {
        problems.push(Problem::error(
            path.field("interval"),
            "Too short",
            "Nomad takes `5s` or more as the `interval`.",
        ));
    } else if delay.saturating_mul(attempts) > interval {
        let blamed = ["attempts", "delay", "interval"]
            .into_iter()
            .find(|name| !policy.get(name).is_null());
        problems.push(Problem::error(
            path.field(blamed.unwrap_or("attempts")),
            "More restarts than fit into the interval",
            format!(
                "{attempts} restarts, each after {}, take longer than {}. Set fewer `attempts`, a \
                 shorter `delay` or a longer `interval`.",
                units::from_nanoseconds(delay.unsigned_abs()),
                units::from_nanoseconds(interval.unsigned_abs()),
            ),
        ));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::{Value, json};

    use crate::oam::{self, Node};

    /// Where the problems of a component are, below it.
    fn problems(name: &str, more: &Value) -> Vec<String> {
        let mut component = json!({
            "type": "webservice", "image": "nginx", "port": {"http": {"port": 80}},
        });
        for (field, value) in more.as_object().unwrap() {
            component[field] = value.clone();
        }
        let node = Node::from(&json!({"name": "shop", "component": {name: component}}));
        let prefix = format!("component[{name:?}].");
        oam::validate(&node)
            .into_iter()
            .map(|problem| problem.path.to_string().replace(&prefix, ""))
            .collect()
    }

    #[test]
    fn what_nomad_refuses_is_found_at_its_attribute() {
        let long = "a".repeat(60);
        let csi = |more: Value| {
            let mut volume = json!({"type": "csi", "source": "x", "mount_path": "/d"});
            for (field, value) in more.as_object().unwrap() {
                volume[field] = value.clone();
            }
            json!({"d": volume})
        };
        let cases = [
            ("web", json!({}), ""),
            ("alloc", json!({}), "name"),
            (&long, json!({}), ""),
            (&long, json!({"health_check": {}}), "health_check"),
            (&long, json!({"ingress": {"host": "a.b"}}), "ingress"),
            ("web", json!({"resources": {"cpu": "256"}}), ""),
            ("web", json!({"resources": {"cpu": "500"}}), "resources.cpu"),
            ("web", json!({"resources": {"memory": "10Mi"}}), ""),
            (
                "web",
                json!({"resources": {"memory": "9Mi"}}),
                "resources.memory",
            ),
            (
                "web",
                json!({"health_check": {"interval": "1s", "timeout": "1s"}}),
                "",
            ),
            (
                "web",
                json!({"health_check": {"interval": "999ms"}}),
                "health_check.interval",
            ),
            (
                "web",
                json!({"health_check": {"timeout": "0s"}}),
                "health_check.timeout",
            ),
            ("web", json!({"health_check": {"path": "/a%20b?c=1"}}), ""),
            (
                "web",
                json!({"health_check": {"path": "/%zz"}}),
                "health_check.path",
            ),
            (
                "web",
                json!({"health_check": {"path": "/%2"}}),
                "health_check.path",
            ),
            (
                "web",
                json!({"health_check": {"type": "tcp", "path": "/"}}),
                "health_check.path",
            ),
            ("web", json!({"restart_policy": {}}), ""),
            ("web", json!({"restart_policy": {"attempts": 0}}), ""),
            (
                "web",
                json!({"restart_policy": {"attempts": 0, "mode": "delay"}}),
                "restart_policy.mode",
            ),
            (
                "web",
                json!({"restart_policy": {"interval": "4s"}}),
                "restart_policy.interval",
            ),
            (
                "web",
                json!({"restart_policy": {"attempts": 120, "delay": "15s"}}),
                "",
            ),
            (
                "web",
                json!({"restart_policy": {"attempts": 121}}),
                "restart_policy.attempts",
            ),
            (
                "web",
                json!({"restart_policy": {"interval": "29s"}}),
                "restart_policy.interval",
            ),
            (
                "web",
                json!({"port": {
                    "tcp": {"port": 53, "expose": true},
                    "udp": {"port": 53, "protocol": "UDP", "expose": true},
                }}),
                "port[\"udp\"].port",
            ),
            (
                "web",
                json!({"port": {"tcp": {"port": 53}, "udp": {"port": 53, "protocol": "UDP"}}}),
                "",
            ),
            ("web", json!({"volume": csi(json!({}))}), ""),
            (
                "web",
                json!({"volume": csi(json!({"access_mode": "multi-node-reader-only"}))}),
                "volume[\"d\"].read_only",
            ),
            (
                "web",
                json!({"volume": csi(json!({"access_mode": "multi-node-reader-only", "read_only": true}))}),
                "",
            ),
            (
                "web",
                json!({"volume": csi(json!({})), "scaler": {"replicas": 2}}),
                "volume[\"d\"].access_mode",
            ),
            (
                "web",
                json!({
                    "volume": csi(json!({"access_mode": "multi-node-multi-writer"})),
                    "scaler": {"min": 2},
                }),
                "",
            ),
            (
                "web",
                json!({
                    "image": null, "command": ["a"], "driver": "raw_exec",
                    "volume": {"d": {"source": "x", "mount_path": "/d"}},
                }),
                "volume[\"d\"]",
            ),
        ];
        for (name, more, place) in cases {
            let wanted: Vec<&str> = Some(place)
                .filter(|place| !place.is_empty())
                .into_iter()
                .collect();
            assert_eq!(problems(name, &more), wanted, "{name} {more}");
        }
    }

    #[test]
    fn the_tenant_counts_in_the_name_of_a_service() {
        for (name, tenant, good) in [
            ("a".repeat(58), None, true),
            ("a".repeat(59), None, false),
            ("a".repeat(53), Some("acme"), true),
            ("a".repeat(54), Some("acme"), false),
        ] {
            let web = json!({
                "type": "webservice", "image": "nginx", "port": {"http": {"port": 80}},
                "health_check": {},
            });
            let node = json!({"name": "shop", "tenant": tenant, "component": {&name: web}});
            let found = oam::validate(&Node::from(&node));
            assert_eq!(found.is_empty(), good, "{name} {tenant:?} {found:?}");
        }
    }

    #[test]
    fn schedules() {
        for (schedule, good) in [
            ("*/15 * * * *", true),
            ("0 3 * * MON-FRI", true),
            ("0 0 L * *", true),
            ("0 0 * * 5#2", true),
            ("  0  0 * * 7 ", true),
            ("@hourly", true),
            ("@reboot", false),
            ("0 0 1 * +MON", false),
            ("0 0 * * L", false),
            ("*/90 * * * *", false),
            ("*/59 */23 */31 */12 */6", true),
            ("0 */24 * * *", false),
            ("0 0 * * * *", false),
            ("H * * * *", false),
        ] {
            let more = json!({"type": "cron-task", "port": null, "schedule": schedule});
            let found = problems("web", &more);
            assert_eq!(found.is_empty(), good, "{schedule} {found:?}");
        }
    }
}
