//! What is known of a value that is itself unknown.

use super::Number;

/// Promises about an unknown value. They are kept as they came, because Terraform compares an
/// unknown value in a plan with the one in the configuration, promises included.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Refinements {
    /// `Some(false)`: surely not null.
    pub nullness: Option<bool>,
    /// What a string surely starts with.
    pub prefix: Option<String>,
    /// The least a number can be.
    pub number_min: Option<Bound>,
    /// The most a number can be.
    pub number_max: Option<Bound>,
    /// The fewest elements a collection can have.
    pub length_min: Option<i64>,
    /// The most elements a collection can have.
    pub length_max: Option<i64>,
}

/// An end of a range of numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Bound {
    /// The number at this end.
    pub value: Number,
    /// Whether the range includes that number.
    pub inclusive: bool,
}
