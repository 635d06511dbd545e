//! A document against a JSON Schema, with problems that say where in the text they are.

mod branches;
#[cfg(test)]
mod tests;
mod words;

use std::collections::BTreeSet;

use jsonschema::error::ValidationErrorKind as Kind;
use jsonschema::{PatternOptions, ValidationError, Validator};
use serde_json::Value;

use super::text::{Document, Location, Pointer, Segment, shortened};
use super::validate::nearest;

/// The most problems that are said at once. A person reads no more, and a document can have tens of
/// thousands.
const MAX_PROBLEMS: usize = 100;

/// The longest name for which a similar one is looked for, in bytes.
const LONGEST_NAME: usize = 64;

/// A JSON Schema, ready for use. Compiling takes milliseconds, so it is done once.
pub struct Schema {
    source: Value,
    validator: Validator,
}

/// The schema itself is wrong.
#[derive(Debug, thiserror::Error)]
#[error("the JSON Schema is not valid: {0}")]
pub struct InvalidSchema(String);

/// What is wrong with a document, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SchemaProblem {
    /// Where in the text.
    pub location: Location,
    /// Where in the document. A missing field is at its own place.
    pub pointer: Pointer,
    /// One line: what is wrong.
    pub summary: String,
    /// Why, and what to do about it.
    pub detail: String,
}

impl Schema {
    /// Compiles a schema. Nothing outside it is read.
    ///
    /// # Errors
    /// What is wrong with it, references to other schemas among it.
    pub fn compile(source: &Value) -> Result<Self, InvalidSchema> {
        let options = jsonschema::options()
            .offline()
            // The other engine backtracks, for which a text can take very long.
            .with_pattern_options(PatternOptions::regex());
        let validator = options
            .build(source)
            .map_err(|error| InvalidSchema(error.to_string()))?;
        Ok(Self {
            source: source.clone(),
            validator,
        })
    }

    /// What is wrong with a document, in the order of its text.
    pub fn check(&self, document: &Document) -> Vec<SchemaProblem> {
        let check = Check {
            schema: &self.source,
            document,
        };
        // A set, because two branches can have the same to say.
        let mut problems = BTreeSet::new();
        for error in self.validator.iter_errors(&document.value) {
            for problem in check.problems(&error) {
                problems.insert(problem);
                if problems.len() == MAX_PROBLEMS {
                    return problems.into_iter().collect();
                }
            }
        }
        problems.into_iter().collect()
    }
}

struct Check<'a> {
    schema: &'a Value,
    document: &'a Document,
}

impl Check<'_> {
    fn problems(&self, error: &ValidationError<'_>) -> Vec<SchemaProblem> {
        let pointer = self.pointer(error);
        match error.kind() {
            Kind::AnyOf { context } | Kind::OneOfNotValid { context } => {
                self.branches(error, context)
            }
            Kind::AdditionalProperties { unexpected } => {
                let known = own_names(self.parent(error));
                self.unknown(&pointer, unexpected, &known)
            }
            Kind::UnevaluatedProperties { unexpected } => {
                let known = self.all_names(self.parent(error));
                self.unknown(&pointer, unexpected, &known)
            }
            Kind::Required { property } => {
                let name = property.as_str().unwrap_or_default();
                vec![self.missing(error, pointer, name)]
            }
            Kind::PropertyNames { error: inner } => {
                let name = inner.instance().as_str().unwrap_or_default();
                let (_, detail) = words::say(inner, self.description(inner));
                let summary = format!("Key {:?} is not allowed", shortened(name));
                vec![self.at_key(pointer.key(name), summary, detail)]
            }
            Kind::FalseSchema => {
                let detail = "A field of this name has no place here. Remove it.".to_owned();
                vec![self.at_key(pointer, "Not allowed here".to_owned(), detail)]
            }
            _ => {
                let (summary, detail) = words::say(error, self.description(error));
                vec![self.at(pointer, summary, detail)]
            }
        }
    }

    fn at(&self, pointer: Pointer, summary: String, detail: String) -> SchemaProblem {
        let location = self.document.location(&pointer);
        SchemaProblem {
            location,
            pointer,
            summary,
            detail,
        }
    }

    fn at_key(&self, pointer: Pointer, summary: String, detail: String) -> SchemaProblem {
        let location = self.document.key_location(&pointer);
        SchemaProblem {
            location,
            ..self.at(pointer, summary, detail)
        }
    }

    fn unknown(
        &self,
        around: &Pointer,
        unexpected: &[String],
        known: &BTreeSet<&str>,
    ) -> Vec<SchemaProblem> {
        let known: Vec<_> = known.iter().copied().collect();
        let problem = |name: &String| {
            let mut detail = format!("{} has no such field.", capital(around));
            match nearest(name, &known).filter(|_| name.len() <= LONGEST_NAME) {
                Some(nearest) => detail.push_str(&format!(" Did you mean `{nearest}`?")),
                None if known.is_empty() => detail.push_str(" It has none at all."),
                None => detail.push_str(&format!(" It can have {}.", words::list(&known, "and"))),
            }
            let summary = format!("Unknown field {:?}", shortened(name));
            self.at_key(around.clone().key(name), summary, detail)
        };
        unexpected.iter().take(MAX_PROBLEMS).map(problem).collect()
    }

    fn missing(&self, error: &ValidationError<'_>, around: Pointer, name: &str) -> SchemaProblem {
        let schema = self.parent(error);
        let description = schema.and_then(|schema| {
            let field = schema.get("properties")?.get(name)?;
            field.get("description")?.as_str()
        });
        let detail = match description {
            Some(text) => format!("{} needs it: {text}", capital(&around)),
            None => format!("{} needs it.", capital(&around)),
        };
        self.at(around.key(name), format!("Missing {name:?}"), detail)
    }

    /// The place in the document that an error is about.
    fn pointer(&self, error: &ValidationError<'_>) -> Pointer {
        let mut here = Some(&self.document.value);
        let steps = error.instance_path().as_str().split('/').skip(1);
        let segment = |step: &str| {
            let name = step.replace("~1", "/").replace("~0", "~");
            // Only what is there tells a position from a key that is a number.
            if let Some(Value::Array(items)) = here
                && let Ok(index) = name.parse()
            {
                here = items.get::<usize>(index);
                return Segment::Index(index);
            }
            here = here.and_then(|value| value.get(&name));
            Segment::Key(name)
        };
        steps.map(segment).collect()
    }

    /// The schema that has the keyword of an error.
    fn parent(&self, error: &ValidationError<'_>) -> Option<&Value> {
        let (parent, _) = error.schema_path().as_str().rsplit_once('/')?;
        self.schema.pointer(parent)
    }

    /// What the schema says about the values that are right.
    fn description(&self, error: &ValidationError<'_>) -> Option<&str> {
        self.parent(error)?.get("description")?.as_str()
    }

    /// The fields in a schema and in all that it is made of.
    fn all_names<'s>(&'s self, schema: Option<&'s Value>) -> BTreeSet<&'s str> {
        let mut names = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut open: Vec<&Value> = schema.into_iter().collect();
        while let Some(schema) = open.pop() {
            names.append(&mut own_names(Some(schema)));
            for keyword in ["allOf", "anyOf", "oneOf"] {
                open.extend(
                    schema
                        .get(keyword)
                        .and_then(Value::as_array)
                        .into_iter()
                        .flatten(),
                );
            }
            open.extend(
                ["then", "else"]
                    .iter()
                    .filter_map(|keyword| schema.get(keyword)),
            );
            let target = schema.get("$ref").and_then(Value::as_str);
            if let Some(target) = target.and_then(|target| target.strip_prefix('#'))
                && seen.insert(target)
            {
                open.extend(self.schema.pointer(target));
            }
        }
        names
    }
}

fn own_names(schema: Option<&Value>) -> BTreeSet<&str> {
    let properties = schema.and_then(|schema| schema.get("properties")?.as_object());
    let properties = properties.into_iter().flatten();
    properties.map(|(name, _)| name.as_str()).collect()
}

/// A place at the start of a sentence.
fn capital(pointer: &Pointer) -> String {
    match pointer.segments() {
        [] => "The document".to_owned(),
        _ => format!("`{pointer}`"),
    }
}
