//! The text of a document, YAML or JSON: its value, and where in the text each part of it is.
//!
//! JSON needs no reader of its own: it is YAML. The rules are those of YAML 1.2 with its core
//! schema, without what can surprise or harm: see `docs/decisions/0003-yaml-parser.md`.

mod compose;
mod place;
mod scalar;
#[cfg(test)]
mod tests;

use serde_json::Value;

use compose::{Content, Nodes, Place};
pub use place::{Location, Pointer, Segment};
pub(super) use scalar::shortened;

/// The longest text, in bytes. A value of Consul has at most 512 KiB, and a record holds more than
/// the document.
pub const MAX_TEXT: usize = 256 * 1024;

/// How deep lists and maps may lie in each other: several times what any application needs, and few
/// enough for recursive functions.
pub const MAX_DEPTH: usize = 64;

/// The most keys and values, with aliases expanded: more than the longest text has that is written
/// one entry to a line.
pub const MAX_NODES: usize = 50_000;

/// The most text in keys and values, in bytes, with aliases expanded: what a value of Consul takes. Only
/// aliases can get beyond it.
pub const MAX_BYTES: usize = 512 * 1024;

/// Why a text cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{location}: {summary}. {detail}")]
pub struct TextError {
    /// Where.
    pub location: Location,
    /// One line: what is wrong.
    pub summary: String,
    /// Why, and what to do about it.
    pub detail: String,
}

impl TextError {
    fn new(location: Location, summary: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            location,
            summary: summary.into(),
            detail: detail.into(),
        }
    }
}

/// A document that was read.
#[derive(Debug)]
pub struct Document {
    /// What it says, with aliases expanded.
    pub value: Value,
    nodes: Nodes,
}

/// Reads a text in YAML or JSON, in time and memory that grow with its length alone.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn read(text: &str) -> Result<Document, TextError> {
    // Editors that write a byte-order mark do not count it as a column.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.len() > MAX_TEXT {
        return Err(TextError::new(
            Location::START,
            "Document too long",
            format!(
                "It has {} bytes, and at most {MAX_TEXT} are read.",
                text.len()
            ),
        ));
    }
    let nodes = compose::compose(text)?;
    let value = expand(&nodes, nodes.root);
    Ok(Document { value, nodes })
}

impl Document {
    /// Where the value at `pointer` begins; where there is none, the nearest one around it that
    /// exists. A value that is given by an alias is at the alias, and what is in it where it is
    /// written.
    pub fn location(&self, pointer: &Pointer) -> Location {
        self.find(pointer).0.at
    }

    /// Where the key of the map entry at `pointer` is; [`Self::location`] where there is no such
    /// entry.
    pub fn key_location(&self, pointer: &Pointer) -> Location {
        let (place, key) = self.find(pointer);
        key.unwrap_or(place.at)
    }

    /// The deepest place on the way that exists, and its key if it is the very entry.
    fn find(&self, pointer: &Pointer) -> (Place, Option<Location>) {
        let mut place = self.nodes.root;
        let mut key = None;
        for segment in pointer.segments() {
            let next = match (self.nodes.content(place), segment) {
                (Content::List(items), Segment::Index(index)) => {
                    items.get(*index).map(|item| (*item, None))
                }
                (Content::Map(entries), Segment::Key(name)) => entries
                    .get(name)
                    .map(|entry| (entry.value, Some(entry.key))),
                _ => None,
            };
            let Some(next) = next else {
                return (place, None);
            };
            (place, key) = next;
        }
        (place, key)
    }
}

fn expand(nodes: &Nodes, place: Place) -> Value {
    match nodes.content(place) {
        Content::Scalar(value) => value.clone(),
        Content::List(items) => items.iter().map(|item| expand(nodes, *item)).collect(),
        Content::Map(entries) => entries
            .iter()
            .map(|(key, entry)| (key.clone(), expand(nodes, entry.value)))
            .collect(),
        // Composing closes every node.
        Content::Open => Value::Null,
    }
}
