//! Places inside a value.

use std::fmt;

use super::wire::tfplugin6::AttributePath as WirePath;
use super::wire::tfplugin6::attribute_path::Step as WireStep;
use super::wire::tfplugin6::attribute_path::step::Selector;

/// One step into a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// An attribute of an object, or a block.
    Attribute(String),
    /// An element of a map, or a labelled block.
    Key(String),
    /// An element of a list or a tuple. Sets have no such step: a path ends at the set.
    Index(i64),
}

/// The way from the root of a value to a place in it. Prints as in a configuration:
/// `component["web"].args[0]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttributePath {
    /// The steps, outermost first.
    pub steps: Vec<Step>,
}

impl AttributePath {
    /// The value as a whole.
    pub const ROOT: Self = Self { steps: Vec::new() };

    /// The path to a top-level attribute or block.
    pub fn new(name: impl Into<String>) -> Self {
        Self::ROOT.attribute(name)
    }

    /// This path, one attribute deeper.
    #[must_use]
    pub fn attribute(mut self, name: impl Into<String>) -> Self {
        self.steps.push(Step::Attribute(name.into()));
        self
    }

    /// This path, one element of a map deeper.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.steps.push(Step::Key(key.into()));
        self
    }

    /// This path, one element of a list deeper.
    #[must_use]
    pub fn index(mut self, index: i64) -> Self {
        self.steps.push(Step::Index(index));
        self
    }

    /// The form on the wire; `None` for the value as a whole.
    pub fn to_wire(&self) -> Option<WirePath> {
        if self.steps.is_empty() {
            return None;
        }
        let step = |step: &Step| WireStep {
            selector: Some(match step {
                Step::Attribute(name) => Selector::AttributeName(name.clone()),
                Step::Key(key) => Selector::ElementKeyString(key.clone()),
                Step::Index(index) => Selector::ElementKeyInt(*index),
            }),
        };
        Some(WirePath {
            steps: self.steps.iter().map(step).collect(),
        })
    }
}

impl fmt::Display for AttributePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.steps.is_empty() {
            return f.write_str("the value");
        }
        for (position, step) in self.steps.iter().enumerate() {
            match step {
                Step::Attribute(name) if position == 0 => f.write_str(name)?,
                Step::Attribute(name) => write!(f, ".{name}")?,
                Step::Key(key) => write!(f, "[{key:?}]")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}
