//! The forms of text that fields take: amounts, names, paths, …
//!
//! A form is a check in Rust, a pattern for the JSON Schema and a sentence for whoever got it wrong.
//! The pattern takes at least what the check takes (a test compares them on the examples); the check
//! has the last word.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use super::units;

/// A form of text.
#[derive(Debug)]
pub struct Form {
    /// What it is called, with its article: "an amount of CPU".
    pub what: &'static str,
    /// How to write it: a sentence.
    pub how: &'static str,
    /// A regular expression of JSON Schema (ECMA 262), anchored; empty where any text will do.
    pub pattern: &'static str,
    /// Whether a text is of the form.
    pub check: fn(&str) -> bool,
    /// Texts of the form.
    pub good: &'static [&'static str],
    /// Texts that are not.
    pub bad: &'static [&'static str],
}

/// Any text.
pub static TEXT: Form = Form {
    what: "text",
    how: "Any text will do.",
    pattern: "",
    check: |_| true,
    good: &["", "a b", "${NOMAD_PORT_http}"],
    bad: &[],
};

/// An amount of CPU, such as `500m` or `1`.
pub static CPU: Form = Form {
    what: "an amount of CPU",
    how: "Write thousandths of a core, such as `500m`, or cores, such as `1` or `0.5`.",
    pattern: r"^[0-9]+(m|\.[0-9]+)?$",
    check: |text| units::mhz(text).is_some(),
    good: &["500m", "1", "0.5"],
    bad: &["", "0", "-1", "500Mi", "1.m"],
};

/// An amount of memory, such as `256Mi` or `1Gi`.
pub static MEMORY: Form = Form {
    what: "an amount of memory",
    how: "Write it with a unit, such as `256Mi` or `1Gi`.",
    pattern: r"^[0-9]+(\.[0-9]+)?(Ki|Mi|Gi|Ti|k|M|G|T)$",
    check: |text| units::mib(text).is_some(),
    good: &["256Mi", "1.5Gi", "100M"],
    bad: &["256", "256MB", "0Mi"],
};

/// A duration, such as `30s` or `1m30s`.
pub static DURATION: Form = Form {
    what: "a duration",
    how: "Write it with a unit, such as `30s`, `5m` or `1h30m`.",
    pattern: r"^([0-9]+[a-zA-Z]+)+$",
    check: |text| units::duration(text).is_some(),
    good: &["30s", "1m30s", "500ms", "1day"],
    bad: &["30", "x", "1 m", "-1s"],
};

/// A cron expression.
pub static CRON: Form = Form {
    what: "a schedule",
    how: "Write five fields (minute, hour, day of month, month, day of week), such as \
          `*/15 * * * *`, or one of `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`.",
    pattern: r"^\s*(@[a-z]+|\S+\s+\S+\s+\S+\s+\S+\s+\S+)\s*$",
    check: is_schedule,
    good: &["*/15 * * * *", "0 3 * * MON-FRI", "@daily"],
    bad: &["@reboot", "0 0 * * * *", "H * * * *"],
};

/// A DNS label: lower-case letters, digits and hyphens.
pub static LABEL: Form = Form {
    what: "a name",
    how: "A name here has at most 63 lower-case letters, digits and hyphens, and begins and ends \
          with a letter or a digit.",
    pattern: "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$",
    check: is_label,
    good: &["a", "shop-2"],
    bad: &["", "Shop", "-a", "a-", "a_b"],
};

/// The name of a tenant.
pub static TENANT: Form = Form {
    what: "the name of a tenant",
    how: "A tenant's name has 2 to 32 letters and digits.",
    pattern: "^[A-Za-z0-9]{2,32}$",
    check: |text| (2..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric()),
    good: &["acme", "A1"],
    bad: &["a", "a-b", ""],
};

/// A DNS name.
pub static HOST: Form = Form {
    what: "a host name",
    how: "Write a DNS name, such as `shop.example.com`, without scheme, port or path.",
    pattern: r"^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$",
    check: is_host,
    good: &["shop.example.com", "Localhost"],
    bad: &["", "a..b", "http://a", "a:80", "`a`"],
};

/// A path of a URL or a file system, from the root.
pub static PATH: Form = Form {
    what: "a path",
    how: "A path begins with `/`, and has neither spaces nor backticks, quotes, braces or `..` in it.",
    pattern: r#"^/[^\s`"'\\,${}]*$"#,
    check: is_absolute_path,
    good: &["/", "/data", "/health?ready=1"],
    bad: &["data", "/a b", "/../x", "/`", "/{x}", "/${x}"],
};

/// The path of requests. What cannot stand in a URL as it is makes Go's server write the whole path anew
/// (`EscapedPath` in its `net/url`), and a reserved character beside it, such as `(`, is another one for
/// Traefik then (`withRoutingPath` in its `pkg/muxer/http/mux.go`): the path would be served to some clients
/// and not to others. Empty parts and `.` are taken out of a request before its path is looked at.
pub static ROUTE: Form = Form {
    what: "the path of requests",
    how: "Write it as it stands in a URL, with `/` at its beginning, but letters that are not ASCII as \
          themselves: without spaces, backticks, quotes, braces, brackets, `# % < > ? ^ |`, commas, and \
          without parts that are empty, `.` or `..`.",
    pattern: r#"^/[^\s`"'\\,${}#%<>?^|\[\]]*$"#,
    check: is_route,
    good: &["/", "/shop", "/shop/", "/a(b)/c;d=1:e@f/~g!h*i+j&k", "/süß"],
    bad: &[
        "shop", "/a b", "/../x", "/`", "/a//b", "/./a", "/a?b", "/a%20b", "/a|b", "/a[b]",
    ],
};

/// A name without any character that means something elsewhere.
pub static WORD: Form = Form {
    what: "a plain word",
    how: "Letters, digits and `- _ . @ / +` are allowed here, so that the text cannot mean \
          something else in Traefik's or Nomad's configuration.",
    pattern: "^[A-Za-z0-9_.@/+-]{1,128}$",
    check: |text| is_of(text, b"-_.@/+"),
    good: &["auth@file", "Europe/Berlin", "data"],
    bad: &["", "a b", "a`", "{{x}}"],
};

/// The path of a secret or of a key: words between slashes.
pub static KEY: Form = Form {
    what: "the path of a secret or a key",
    how: "Write words of letters, digits and `- _ . @ +` with single slashes between, such as \
          `secret/data/db`; none of them begins with a dot.",
    pattern: "^[A-Za-z0-9_@+-][A-Za-z0-9_.@+-]*(/[A-Za-z0-9_@+-][A-Za-z0-9_.@+-]*)*$",
    check: is_key,
    good: &["secret/data/db", "config"],
    bad: &["", "/a", "a/", "a//b", "a/../b", "a b", "a\"}}{{"],
};

/// A key in Consul: as [`KEY`], but what follows an `@` would be a datacenter for Nomad's templates
/// (`dcRe` in consul-template's `dependency/dependency.go`).
pub static CONSUL_KEY: Form = Form {
    what: "a key in Consul",
    how: "Write words of letters, digits and `- _ . +` with single slashes between, such as \
          `config/motd`; none of them begins with a dot.",
    pattern: "^[A-Za-z0-9_+-][A-Za-z0-9_.+-]*(/[A-Za-z0-9_+-][A-Za-z0-9_.+-]*)*$",
    check: |text| is_key(text) && !text.contains('@'),
    good: &["config/motd", "config"],
    bad: &["", "/a", "a/../b", "a@dc2", "a?dc=dc2", "a\"}}{{"],
};

/// The name of a field of a secret.
pub static SECRET_FIELD: Form = Form {
    what: "the name of a field of a secret",
    how: "Write letters, digits, hyphens and underscores.",
    pattern: "^[A-Za-z0-9_-]{1,128}$",
    check: |text| is_of(text, b"-_"),
    good: &["password", "db-user_1"],
    bad: &["", "a b", "a.b", "\""],
};

/// The name of an environment variable.
pub static VARIABLE: Form = Form {
    what: "the name of an environment variable",
    how: "Write letters, digits and underscores, beginning with no digit.",
    pattern: "^[A-Za-z_][A-Za-z0-9_]*$",
    check: |text| {
        text.len() <= 128
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            && !text.is_empty()
            && !text.starts_with(|c: char| c.is_ascii_digit())
    },
    good: &["DB_USER", "_x1"],
    bad: &["", "1A", "A-B", "A=B"],
};

/// The name of a signal.
pub static SIGNAL: Form = Form {
    what: "the name of a signal",
    how: "Write it in capitals, such as `SIGHUP` or `SIGUSR1`.",
    pattern: "^SIG[A-Z0-9]+$",
    check: |text| SIGNALS.contains(&text),
    good: &["SIGHUP", "SIGUSR1"],
    bad: &["", "HUP", "sighup", "SIGFOO"],
};

/// What Nomad's template runner takes (consul-template's `signals/signals_unix.go`).
const SIGNALS: [&str; 32] = [
    "SIGABRT", "SIGALRM", "SIGBUS", "SIGCHLD", "SIGCONT", "SIGFPE", "SIGHUP", "SIGILL", "SIGINT",
    "SIGIO", "SIGIOT", "SIGKILL", "SIGPIPE", "SIGPROF", "SIGQUIT", "SIGSEGV", "SIGSTOP", "SIGSYS",
    "SIGTERM", "SIGTRAP", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGURG", "SIGUSR1", "SIGUSR2",
    "SIGWINCH", "SIGXCPU", "SIGXFSZ", "SIGNULL", "SIGRTMIN", "SIGRTMAX",
];

/// An attribute of a node, with or without the braces of Nomad's interpolation.
pub static ATTRIBUTE: Form = Form {
    what: "an attribute of a node",
    how: "Write it as Nomad does, such as `node.class`, `attr.kernel.name` or `meta.rack`.",
    pattern: r"^(\$\{)?(node|attr|meta)\.[A-Za-z0-9_.-]+\}?$",
    check: is_attribute,
    good: &["node.class", "${attr.kernel.name}", "meta.rack"],
    bad: &[
        "",
        "class",
        "${node.class",
        "node.class}",
        "env.x",
        "${meta.}",
    ],
};

/// A range of IP addresses, such as `10.0.0.0/24`.
pub static CIDR: Form = Form {
    what: "a range of addresses",
    how: "Write an address and the length of its prefix, such as `10.32.0.0/16`.",
    pattern: "^[0-9A-Fa-f.:]+/[0-9]{1,3}$",
    check: |text| {
        text.split_once('/').is_some_and(|(address, length)| {
            let most = match address.parse() {
                Ok(std::net::IpAddr::V4(_)) => 32,
                Ok(std::net::IpAddr::V6(_)) => 128,
                Err(_) => return false,
            };
            length.parse::<u8>().is_ok_and(|length| length <= most)
        })
    },
    good: &["10.32.0.0/16", "fd00::/8"],
    bad: &["", "10.0.0.0", "10.0.0/8", "10.0.0.0/33", "x/8"],
};

/// An IP address.
pub static ADDRESS: Form = Form {
    what: "an IP address",
    how: "Write an IPv4 or IPv6 address, such as `10.0.0.53`.",
    pattern: "^[0-9A-Fa-f.:]+$",
    check: |text| text.parse::<std::net::IpAddr>().is_ok(),
    good: &["10.0.0.53", "::1"],
    bad: &["", "10.0.0", "dns.example.com"],
};

/// The name of a namespace or a node pool of Nomad's.
pub static NOMAD_NAME: Form = Form {
    what: "a name in Nomad",
    how: "Write at most 128 letters, digits, hyphens and underscores.",
    pattern: "^[A-Za-z0-9_-]{1,128}$",
    check: |text| is_of(text, b"-_"),
    good: &["default", "team_a-1"],
    bad: &["", "a b", "a/b", "*"],
};

/// A datacenter, or a pattern of some.
pub static DATACENTER: Form = Form {
    what: "a datacenter",
    how: "Write the name of a datacenter or of a cluster; `*` stands for any characters.",
    pattern: r"^[A-Za-z0-9_.*-]{1,128}$",
    check: |text| is_of(text, b"-_.*"),
    good: &["dc1", "eu-*", "*"],
    bad: &["", "a b", "a/b"],
};

/// A reference to a scope: its kind and its name.
pub static SCOPE: Form = Form {
    what: "a reference to a scope",
    how: "Write `network/<name>`, `node-pool/<name>` or `namespace/<name>`: the `id` of a scope.",
    pattern: "^(network|node-pool|namespace)/[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$",
    check: |text| {
        text.split_once('/').is_some_and(|(kind, name)| {
            matches!(kind, "network" | "node-pool" | "namespace") && is_label(name)
        })
    },
    good: &["network/mesh", "node-pool/gpu", "namespace/team-a"],
    bad: &["", "mesh", "other/mesh", "network/", "network/a/b"],
};

/// Every form.
pub static ALL: &[&Form] = &[
    &TEXT,
    &CPU,
    &MEMORY,
    &DURATION,
    &CRON,
    &LABEL,
    &TENANT,
    &HOST,
    &PATH,
    &ROUTE,
    &WORD,
    &KEY,
    &CONSUL_KEY,
    &SECRET_FIELD,
    &VARIABLE,
    &SIGNAL,
    &ATTRIBUTE,
    &CIDR,
    &ADDRESS,
    &NOMAD_NAME,
    &DATACENTER,
    &SCOPE,
];

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
    let harmless = |c: char| !c.is_whitespace() && !c.is_control() && !"`\"'\\,${}".contains(c);
    text.starts_with('/') && text.chars().all(harmless) && !text.split('/').any(|part| part == "..")
}

fn is_route(text: &str) -> bool {
    let rest = text.strip_prefix('/').unwrap_or_default();
    // The last part is empty where the path ends with a slash.
    let parts = rest.strip_suffix('/').unwrap_or(rest);
    is_absolute_path(text)
        && !text.contains(['#', '%', '<', '>', '?', '^', '|', '[', ']'])
        && (rest.is_empty() || parts.split('/').all(|part| !matches!(part, "" | ".")))
}

/// At most 128 letters, digits and these.
fn is_of(text: &str, further: &[u8]) -> bool {
    let inside = |b: u8| b.is_ascii_alphanumeric() || further.contains(&b);
    (1..=128).contains(&text.len()) && text.bytes().all(inside)
}

fn is_key(text: &str) -> bool {
    let inside = |b: u8| b.is_ascii_alphanumeric() || b"-_.@+".contains(&b);
    let part = |part: &str| !part.is_empty() && !part.starts_with('.') && part.bytes().all(inside);
    text.len() <= 512 && text.split('/').all(part)
}

fn is_attribute(text: &str) -> bool {
    let bare = match text.strip_prefix("${") {
        Some(rest) => match rest.strip_suffix('}') {
            Some(bare) => bare,
            None => return false,
        },
        None => text,
    };
    let inside = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    ["node.", "attr.", "meta."]
        .iter()
        .filter_map(|root| bare.strip_prefix(root))
        .any(|rest| !rest.is_empty() && rest.len() <= 128 && rest.bytes().all(inside))
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
        && is_cron(fields.join(" "))
}

/// Whether the crate takes a schedule. That takes it longer than all else in a component takes, and many
/// components have the same few schedules, so those that were right are kept.
fn is_cron(schedule: String) -> bool {
    const KEPT: usize = 64;
    static RIGHT: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let mut right = RIGHT.lock().unwrap_or_else(PoisonError::into_inner);
    if right.contains(&schedule) {
        return true;
    }
    let is_right = schedule.parse::<croner::Cron>().is_ok();
    if is_right {
        if right.len() >= KEPT {
            right.clear();
        }
        right.insert(schedule);
    }
    is_right
}

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn the_checks_know_the_examples() {
        for form in ALL {
            for text in form.good {
                assert!((form.check)(text), "{}: {text:?}", form.what);
            }
            for text in form.bad {
                assert!(!(form.check)(text), "{}: {text:?}", form.what);
            }
        }
    }
}
