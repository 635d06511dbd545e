//! Places: in a text by line and column, in a document by keys and positions.

use std::fmt;

/// A place in a text, printed as `line 12, column 9`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// The line, from 1. Lines end with `\n`, `\r\n` or `\r`.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

impl Location {
    /// Where a text begins.
    pub const START: Self = Self { line: 1, column: 1 };
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// One step into a document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Segment {
    /// A key of a map.
    Key(String),
    /// A position in a list, from 0.
    Index(usize),
}

/// The way from the root of a document to a place in it, printed as
/// `spec.components[0].properties.ports[1].port`; the root is `the document`.
///
/// Not a [`Path`](crate::oam::Path), which is a place in the normal form of an application.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pointer(Vec<Segment>);

impl Pointer {
    /// This pointer, one key deeper.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.0.push(Segment::Key(key.into()));
        self
    }

    /// This pointer, one list item deeper.
    #[must_use]
    pub fn index(mut self, index: usize) -> Self {
        self.0.push(Segment::Index(index));
        self
    }

    /// The steps, from the root on.
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }
}

impl FromIterator<Segment> for Pointer {
    fn from_iter<I: IntoIterator<Item = Segment>>(segments: I) -> Self {
        Self(segments.into_iter().collect())
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("the document");
        }
        for (position, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Key(key) if !is_name(key) => write!(f, "[{key:?}]")?,
                Segment::Key(key) if position == 0 => f.write_str(key)?,
                Segment::Key(key) => write!(f, ".{key}")?,
                Segment::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// Whether a key can stand between dots.
fn is_name(key: &str) -> bool {
    let inside = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    !key.is_empty() && key.chars().all(inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_read_like_code() {
        let root = Pointer::default();
        assert_eq!(root.to_string(), "the document");
        let port = root.clone().key("spec").key("ports").index(1).key("port");
        assert_eq!(port.to_string(), "spec.ports[1].port");
        let label = root.clone().key("a.b/c").key("d e").key("f");
        assert_eq!(label.to_string(), r#"["a.b/c"]["d e"].f"#);
        assert_eq!(root.index(0).index(2).to_string(), "[0][2]");
    }
}
