//! The calls of a run, told apart, and what is done to one of them.

use std::collections::BTreeMap;

use crate::support::proxy::{Seen, plain};
use crate::support::{Action, Gate};

/// One call of a run: the `nth` (from 0) to this server with this method and path, in which the names of
/// the run and the IDs that the servers give are left out. A blocking query counts once, however often
/// it is repeated.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    pub server: &'static str,
    pub method: String,
    pub path: String,
    pub nth: usize,
}

impl std::fmt::Display for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            server,
            method,
            path,
            nth,
        } = self;
        write!(f, "{server} {method} {path} #{nth}")
    }
}

/// Gives the requests of one run to one server their places.
pub struct Counter {
    server: &'static str,
    name: String,
    counts: BTreeMap<(String, String), usize>,
}

impl Counter {
    /// Of the run that works on what is called `name`.
    pub fn new(server: &'static str, name: &str) -> Self {
        Self {
            server,
            name: name.to_owned(),
            counts: BTreeMap::new(),
        }
    }

    /// The call that a request is; `None` for a repetition of a blocking query, and for a renewal of the
    /// session, which comes when its time has come.
    pub fn call(&mut self, seen: &Seen) -> Option<Call> {
        if seen.path.starts_with("/v1/session/renew/") {
            return None;
        }
        let blocks = seen.path.contains("index=");
        let mut path = without_ids(&plain(seen).replace(&self.name, "NAME"));
        if blocks {
            path.push_str(" blocking");
        }
        let count = self
            .counts
            .entry((seen.method.clone(), path.clone()))
            .or_default();
        let nth = *count;
        *count += 1;
        (!blocks || nth == 0).then(|| Call {
            server: self.server,
            method: seen.method.clone(),
            path,
            nth,
        })
    }
}

/// The text with `*` for each UUID in it.
pub fn without_ids(text: &str) -> String {
    let is_id = |part: &str| {
        let mut bytes = part.bytes().enumerate();
        bytes.all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
    };
    let (mut rest, mut all) = (text, String::new());
    while let Some(first) = rest.chars().next() {
        let taken = match rest.get(..36).filter(|part| is_id(part)) {
            Some(_) => {
                all.push('*');
                36
            }
            None => {
                all.push(first);
                first.len_utf8()
            }
        };
        rest = &rest[taken..];
    }
    all
}

/// What becomes of the call, and of the provider.
#[derive(Clone)]
pub enum Deed {
    /// The provider is killed before the server gets the call.
    KillBefore,
    /// The provider is killed after the server has answered, before it has the answer.
    KillAfter,
    /// The provider lives, and gets to see this.
    Fault(&'static str, Action),
}

impl Deed {
    /// In a word.
    pub fn name(&self) -> &'static str {
        match self {
            Deed::KillBefore => "killed before",
            Deed::KillAfter => "killed after",
            Deed::Fault(name, _) => name,
        }
    }

    /// What the proxy does; at the gate stands a call at which the provider is to be killed.
    pub fn action(&self, gate: &Gate) -> Action {
        match self {
            Deed::KillBefore => Action::Hold(gate.clone()),
            Deed::KillAfter => Action::HoldAnswer(gate.clone()),
            Deed::Fault(_, action) => action.clone(),
        }
    }

    /// Whether the provider ends of it.
    pub fn kills(&self) -> bool {
        !matches!(self, Deed::Fault(..))
    }
}

/// One call, and what is done at it.
#[derive(Clone)]
pub struct Cut {
    pub call: Call,
    pub deed: Deed,
}

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.deed.name(), self.call)
    }
}

/// `OAM_TEST_STRIDE`: one in so many of all cuts is to be made.
pub fn asked_stride() -> Option<usize> {
    number("OAM_TEST_STRIDE").map(|stride| stride.max(1))
}

/// Every `stride`-th, beginning elsewhere in each scenario so that they do not all leave out the same.
/// `OAM_TEST_SHIFT` goes on from there: with a stride of 2, a shift of 1 makes the other half.
pub fn selected(all: Vec<Cut>, scenario: &str, stride: usize) -> Vec<Cut> {
    let first = scenario.bytes().map(usize::from).sum::<usize>();
    let first = (first + number("OAM_TEST_SHIFT").unwrap_or_default()) % stride;
    all.into_iter().skip(first).step_by(stride).collect()
}

fn number(variable: &str) -> Option<usize> {
    let set = std::env::var(variable).ok()?;
    Some(set.parse().expect("a number of cuts"))
}

#[test]
fn calls_are_told_apart_and_not_by_what_a_server_calls_a_thing() {
    let seen = |path: &str| Seen {
        method: "GET".to_owned(),
        path: path.to_owned(),
    };
    let mut counter = Counter::new("nomad", "shop-7");
    let paths = [
        "/v1/job/shop-7-web?namespace=default",
        "/v1/deployment/0a1b2c3d-0000-4000-8000-0123456789ab?namespace=default",
        "/v1/deployment/0a1b2c3d-0000-4000-8000-0123456789ab?namespace=default&index=4&wait=10000ms",
        "/v1/deployment/ffffffff-0000-4000-8000-0123456789ab?namespace=default&index=9&wait=10000ms",
        "/v1/job/shop-7-web?namespace=default",
        "/v1/session/renew/ffffffff-0000-4000-8000-0123456789ab",
    ];
    let calls = paths.map(|path| counter.call(&seen(path)).map(|call| call.to_string()));
    let expected = [
        Some("nomad GET /v1/job/NAME-web?namespace=default #0"),
        Some("nomad GET /v1/deployment/*?namespace=default #0"),
        Some("nomad GET /v1/deployment/*?namespace=default blocking #0"),
        None,
        Some("nomad GET /v1/job/NAME-web?namespace=default #1"),
        None,
    ];
    assert_eq!(calls.each_ref().map(|call| call.as_deref()), expected);
}
