//! JSON Schemas of the portable documents.

use super::manifest::Fault;
use super::text::Document;

/// Everything in a document that is not of the schema.
pub fn check(_: &Document) -> Vec<Fault> {
    Vec::new()
}
