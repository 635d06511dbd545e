//! Places in an application.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// One step into an application in its normal form.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// A field or a block.
    Field(Cow<'static, str>),
    /// A label, or a key of a map. Shared by all paths that lead on from it.
    Key(Arc<str>),
    /// A position in a list.
    Index(usize),
}

/// The way from an application to a place in it, printed as `component["web"].port["http"].port`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Path(pub Vec<Step>);

impl Path {
    /// The path of a component.
    pub fn component(name: &str) -> Self {
        Self::default().field("component").key(name)
    }

    /// This path, one field deeper.
    #[must_use]
    pub fn field(&self, name: &'static str) -> Self {
        self.then(Step::Field(Cow::Borrowed(name)))
    }

    /// This path, one label or key deeper.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        self.then(Step::Key(key.into()))
    }

    /// This path, one list item deeper.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.then(Step::Index(index))
    }

    fn then(&self, step: Step) -> Self {
        let mut steps = Vec::with_capacity(self.0.len() + 1);
        steps.extend_from_slice(&self.0);
        steps.push(step);
        Self(steps)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Field(name) if position == 0 => f.write_str(name)?,
                Step::Field(name) => write!(f, ".{name}")?,
                Step::Key(key) => write!(f, "[{key:?}]")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}
