//! From the events of the YAML parser to nodes with their locations.
//!
//! The nodes lie in one list and point at each other by number, so an alias costs the same whatever
//! it stands for. What it stands for is counted, so that expanding it later is bounded as well.

use std::collections::{BTreeMap, btree_map};

use granit_parser::{ErrorKind, Event, Marker, Parser, ScalarStyle, ScanError, Tag};
use serde_json::Value;

use super::scalar::{self, Refusal};
use super::{Location, MAX_BYTES, MAX_DEPTH, MAX_NODES, TextError};

/// The nodes of a document. None contains itself.
#[derive(Debug)]
pub(super) struct Nodes {
    nodes: Vec<Node>,
    /// The outermost node.
    pub root: Place,
}

impl Nodes {
    /// What is at a place.
    pub fn content(&self, place: Place) -> &Content {
        &self.nodes[place.node].content
    }
}

/// Where a node is written, which for an alias is where the alias is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub at: Location,
    node: usize,
}

#[derive(Debug)]
pub(super) enum Content {
    Scalar(Value),
    List(Vec<Place>),
    Map(BTreeMap<String, Entry>),
    /// A list or map whose end has not been read.
    Open,
}

/// An entry of a map.
#[derive(Debug)]
pub(super) struct Entry {
    /// Where its key is.
    pub key: Location,
    pub value: Place,
}

#[derive(Debug)]
struct Node {
    content: Content,
    size: Size,
}

/// What a node takes when its aliases are expanded.
#[derive(Clone, Copy, Debug, Default)]
struct Size {
    nodes: usize,
    /// Of text, in keys and in values.
    bytes: usize,
    /// Levels of lists and maps.
    depth: usize,
}

/// A list or map that is being read.
struct Frame {
    place: Place,
    content: Content,
    /// The key whose value is awaited.
    key: Option<(String, Location)>,
    /// What had been counted before it.
    before: Size,
    /// The depth of the deepest child.
    depth: usize,
}

impl Frame {
    /// Whether the next node is a key.
    fn wants_key(&self) -> bool {
        matches!(self.content, Content::Map(_)) && self.key.is_none()
    }
}

#[derive(Default)]
struct Composer {
    nodes: Vec<Node>,
    /// The node of each anchor, by the parser's number.
    anchors: BTreeMap<usize, usize>,
    open: Vec<Frame>,
    root: Option<Place>,
    counted: Size,
}

/// Reads the one document of a text.
pub(super) fn compose(text: &str) -> Result<Nodes, TextError> {
    let options = granit_parser::options! {
        // They can only change what tags mean, and ask for other versions of YAML.
        disallow_directives: true,
        emit_comments: false,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    let mut composer = Composer::default();
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| syntax(&error))?;
        composer.event(event, location(span.start))?;
    }
    let empty = || {
        TextError::new(
            Location::START,
            "Empty document",
            "There is nothing in it but blank lines and comments.",
        )
    };
    let root = composer.root.ok_or_else(empty)?;
    let nodes = composer.nodes;
    Ok(Nodes { nodes, root })
}

fn location(marker: Marker) -> Location {
    Location {
        line: marker.line(),
        column: marker.col() + 1,
    }
}

impl Composer {
    fn event(&mut self, event: Event<'_>, at: Location) -> Result<(), TextError> {
        match event {
            Event::DocumentStart(..) if self.root.is_some() => Err(TextError::new(
                at,
                "More than one document",
                "A second one begins here. Keep each in a file of its own.",
            )),
            Event::Scalar(text, style, anchor, tag) => {
                self.scalar(&text, style, anchor, tag.as_deref(), at)
            }
            Event::SequenceStart(_, anchor, tag) => {
                scalar::check_collection(tag.as_deref(), "seq").map_err(refused(at))?;
                self.start(Content::List(Vec::new()), anchor, at)
            }
            Event::MappingStart(_, anchor, tag) => {
                scalar::check_collection(tag.as_deref(), "map").map_err(refused(at))?;
                self.start(Content::Map(BTreeMap::new()), anchor, at)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(anchor) => self.alias(anchor, at),
            // The rest is no content.
            _ => Ok(()),
        }
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        at: Location,
    ) -> Result<(), TextError> {
        let plain = style == ScalarStyle::Plain;
        if text == "<<" && plain && tag.is_none() && self.wants_key() {
            return Err(TextError::new(
                at,
                "Merge key `<<`",
                "Merging is no part of YAML 1.2. Write the fields out, or use an alias for a whole \
                 value.",
            ));
        }
        let value = scalar::resolve(text, plain, tag).map_err(refused(at))?;
        let size = Size {
            nodes: 1,
            bytes: text.len(),
            depth: 0,
        };
        self.count(size, at)?;
        let node = self.add(Content::Scalar(value), size, anchor);
        self.put(Place { at, node })
    }

    fn start(&mut self, content: Content, anchor: usize, at: Location) -> Result<(), TextError> {
        if self.wants_key() {
            return Err(not_a_key(at, "a list or a map"));
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(too_deep(at));
        }
        let before = self.counted;
        self.count(
            Size {
                nodes: 1,
                ..Size::default()
            },
            at,
        )?;
        let node = self.add(Content::Open, Size::default(), anchor);
        self.open.push(Frame {
            place: Place { at, node },
            content,
            key: None,
            before,
            depth: 0,
        });
        Ok(())
    }

    fn end(&mut self) -> Result<(), TextError> {
        let Some(frame) = self.open.pop() else {
            return Ok(());
        };
        let size = Size {
            nodes: self.counted.nodes - frame.before.nodes,
            bytes: self.counted.bytes - frame.before.bytes,
            depth: frame.depth + 1,
        };
        self.nodes[frame.place.node] = Node {
            content: frame.content,
            size,
        };
        self.put(frame.place)
    }

    fn alias(&mut self, anchor: usize, at: Location) -> Result<(), TextError> {
        let Some((&index, node)) = self
            .anchors
            .get(&anchor)
            .and_then(|index| Some((index, self.nodes.get(*index)?)))
        else {
            return Err(unknown_anchor(at));
        };
        if matches!(node.content, Content::Open) {
            return Err(TextError::new(
                at,
                "Alias of what it is in",
                "The value would contain itself, without end.",
            ));
        }
        let size = node.size;
        if self.open.len() + size.depth > MAX_DEPTH {
            return Err(too_deep(at));
        }
        self.count(size, at)?;
        self.put(Place { at, node: index })
    }

    fn wants_key(&self) -> bool {
        self.open.last().is_some_and(Frame::wants_key)
    }

    fn add(&mut self, content: Content, size: Size, anchor: usize) -> usize {
        let node = self.nodes.len();
        self.nodes.push(Node { content, size });
        // The parser numbers anchors from 1.
        if anchor != 0 {
            self.anchors.insert(anchor, node);
        }
        node
    }

    fn count(&mut self, size: Size, at: Location) -> Result<(), TextError> {
        self.counted.nodes += size.nodes;
        self.counted.bytes += size.bytes;
        if self.counted.nodes > MAX_NODES {
            return Err(TextError::new(
                at,
                "Too many values",
                format!(
                    "A document has at most {MAX_NODES} keys and values, where what an alias \
                     stands for counts each time. Split it, or use fewer aliases."
                ),
            ));
        }
        if self.counted.bytes > MAX_BYTES {
            return Err(TextError::new(
                at,
                "Too much text",
                format!(
                    "The text of a document has at most {MAX_BYTES} bytes, where what an alias \
                     stands for counts each time. Use fewer aliases."
                ),
            ));
        }
        Ok(())
    }

    /// Puts a node that is read to its end where it belongs.
    fn put(&mut self, place: Place) -> Result<(), TextError> {
        let node = &self.nodes[place.node];
        let Some(frame) = self.open.last_mut() else {
            self.root = Some(place);
            return Ok(());
        };
        frame.depth = frame.depth.max(node.size.depth);
        let entries = match &mut frame.content {
            Content::List(items) => {
                items.push(place);
                return Ok(());
            }
            Content::Map(entries) => entries,
            Content::Scalar(_) | Content::Open => return Ok(()),
        };
        if let Some((text, key)) = frame.key.take() {
            entries.insert(text, Entry { key, value: place });
            return Ok(());
        }
        match &node.content {
            Content::Scalar(Value::String(text)) => {
                if let btree_map::Entry::Occupied(first) = entries.entry(text.clone()) {
                    return Err(TextError::new(
                        place.at,
                        format!("Duplicate key {:?}", scalar::shortened(text)),
                        format!("It is already at {}. Keep one.", first.get().key),
                    ));
                }
                frame.key = Some((text.clone(), place.at));
                Ok(())
            }
            Content::Scalar(Value::Null) => Err(not_a_key(place.at, "nothing, or `null`")),
            Content::Scalar(Value::Bool(_)) => Err(not_a_key(place.at, "`true` or `false`")),
            Content::Scalar(Value::Number(_)) => Err(not_a_key(place.at, "a number")),
            _ => Err(not_a_key(place.at, "a list or a map")),
        }
    }
}

fn refused(at: Location) -> impl Fn(Refusal) -> TextError {
    move |(summary, detail)| TextError::new(at, summary, detail)
}

fn not_a_key(at: Location, what: &str) -> TextError {
    TextError::new(
        at,
        "Key that is not text",
        format!("The key is {what}. Write it in quotes if it is meant as text."),
    )
}

fn too_deep(at: Location) -> TextError {
    TextError::new(
        at,
        "Nested too deeply",
        format!("Lists and maps lie in each other at most {MAX_DEPTH} deep."),
    )
}

fn unknown_anchor(at: Location) -> TextError {
    TextError::new(
        at,
        "Unknown anchor",
        "An alias such as `*name` stands for a value that is marked `&name` further up. Write it in \
         quotes if it is meant as text.",
    )
}

/// What the parser found wrong.
fn syntax(error: &ScanError) -> TextError {
    let at = location(*error.marker());
    let hint = match error.kind() {
        ErrorKind::RecursionLimitExceeded => return too_deep(at),
        ErrorKind::UnknownAnchor => return unknown_anchor(at),
        ErrorKind::DirectiveDisallowed => {
            return TextError::new(
                at,
                "Directive",
                "Lines that begin with `%` are not read. Remove this one.",
            );
        }
        ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabAtBlockScalarStart
        | ErrorKind::TabNotAllowed => " Indent with spaces, not with tabs.",
        ErrorKind::MappingValueNotAllowed | ErrorKind::SimpleKeyExpected => {
            " Check the indentation, and write text that has `: ` in it in quotes."
        }
        ErrorKind::ExpectedDocumentStart => " Something follows the end of its value.",
        ErrorKind::UnexpectedCharacter { .. } => {
            " Write text that begins with a special character in quotes."
        }
        _ => "",
    };
    let detail = format!("The text is neither YAML nor JSON: {}.{hint}", error.info());
    TextError::new(at, "Unreadable document", detail)
}
