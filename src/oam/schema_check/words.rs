//! What an error of the validator is in words.

use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use jsonschema::{JsonType, ValidationError};
use serde_json::Value;

use super::shortened;

/// Summary and detail of an error that is about one value. `description` is what the schema says of
/// the values that are right.
pub(super) fn say(error: &ValidationError<'_>, description: Option<&str>) -> (String, String) {
    let value = error.instance().as_ref();
    let (summary, detail) = match error.kind() {
        Kind::Type { kind } => wrong_kind(&types(kind), value),
        Kind::Constant { expected_value } => unknown_value(value, &[expected_value.as_ref()]),
        Kind::Enum { options } => {
            let options: Vec<_> = options.as_array().into_iter().flatten().collect();
            unknown_value(value, &options)
        }
        // A sentence says more than a pattern.
        Kind::Pattern { .. } if let Some(description) = description => {
            let summary = format!("{} is not written as it must be", show(value));
            return (summary, description.to_owned());
        }
        Kind::Pattern { pattern } => (
            format!("{} is not written as it must be", show(value)),
            format!("It must match the pattern `{pattern}`."),
        ),
        Kind::Format { format } => (
            format!("{} is not written as it must be", show(value)),
            format!("It must have the format `{format}`."),
        ),
        Kind::Minimum { limit } => out_of_range(value, &format!("at least {limit}")),
        Kind::Maximum { limit } => out_of_range(value, &format!("at most {limit}")),
        Kind::ExclusiveMinimum { limit } => out_of_range(value, &format!("more than {limit}")),
        Kind::ExclusiveMaximum { limit } => out_of_range(value, &format!("less than {limit}")),
        Kind::MultipleOf { multiple_of } => {
            out_of_range(value, &format!("a multiple of {multiple_of}"))
        }
        Kind::MinLength { limit } => (
            "Text too short".to_owned(),
            format!("It needs {}.", count("at least", *limit, "character")),
        ),
        Kind::MaxLength { limit } => (
            "Text too long".to_owned(),
            format!("It can have {}.", count("at most", *limit, "character")),
        ),
        Kind::MinItems { limit } => (
            "Too few items".to_owned(),
            format!("The list needs {}.", count("at least", *limit, "item")),
        ),
        Kind::MaxItems { limit } => (
            "Too many items".to_owned(),
            format!("The list can have {}.", count("at most", *limit, "item")),
        ),
        Kind::AdditionalItems { limit } => (
            "Too many items".to_owned(),
            format!(
                "The list can have {}.",
                count("at most", *limit as u64, "item")
            ),
        ),
        Kind::UnevaluatedItems { .. } => (
            "Too many items".to_owned(),
            "The list can have fewer items.".to_owned(),
        ),
        Kind::MinProperties { limit } => (
            "Too few fields".to_owned(),
            format!("The map needs {}.", count("at least", *limit, "field")),
        ),
        Kind::MaxProperties { limit } => (
            "Too many fields".to_owned(),
            format!("The map can have {}.", count("at most", *limit, "field")),
        ),
        Kind::UniqueItems => (
            "Items that are the same".to_owned(),
            "Every item of the list must be another one.".to_owned(),
        ),
        Kind::Contains => (
            "A necessary item is missing".to_owned(),
            "The list needs an item that it does not have.".to_owned(),
        ),
        Kind::OneOfMultipleValid { .. } => (
            "Not clear what is meant".to_owned(),
            "The value fits more than one of the forms that are possible here.".to_owned(),
        ),
        Kind::Not { .. } => (
            "Not allowed".to_owned(),
            "A value like this one is ruled out here.".to_owned(),
        ),
        _ => (
            "Not as it must be".to_owned(),
            format!("The schema says: {}.", shortened(&error.to_string())),
        ),
    };
    match description {
        Some(description) => (summary, format!("{detail} {description}")),
        None => (summary, detail),
    }
}

fn out_of_range(value: &Value, range: &str) -> (String, String) {
    let summary = format!("{} is out of range", show(value));
    (summary, format!("It must be {range}."))
}

/// None of the values that are possible.
pub(super) fn unknown_value(value: &Value, options: &[&Value]) -> (String, String) {
    let shown: Vec<_> = options.iter().map(|option| plain(option)).collect();
    let shown: Vec<_> = shown.iter().map(String::as_str).collect();
    let mut detail = match shown.as_slice() {
        [one] => format!("It must be `{one}`."),
        several => format!("It must be one of {}.", list(several, "and")),
    };
    if let Some(text) = value
        .as_str()
        .filter(|text| text.len() <= super::LONGEST_NAME)
    {
        let texts: Vec<_> = options
            .iter()
            .filter_map(|option| option.as_str())
            .collect();
        if let Some(nearest) = super::nearest(text, &texts) {
            detail.push_str(&format!(" Did you mean `{nearest}`?"));
        }
    }
    (format!("Unknown value {}", show(value)), detail)
}

/// The types that a keyword allows.
pub(super) fn types(kind: &TypeKind) -> Vec<JsonType> {
    match kind {
        TypeKind::Single(one) => vec![*one],
        TypeKind::Multiple(several) => several.iter().collect(),
    }
}

/// A value of a type that has no place here.
pub(super) fn wrong_kind(types: &[JsonType], value: &Value) -> (String, String) {
    let mut names: Vec<_> = types.iter().map(|kind| name(*kind)).collect();
    names.dedup();
    let expected = match names.as_slice() {
        [] => "something else".to_owned(),
        [one] => (*one).to_owned(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    };
    let mut detail = format!("It must be {expected}, and is {}.", name_of(value));
    if types.contains(&JsonType::String) && (value.is_number() || value.is_boolean()) {
        detail.push_str(" Write it in quotes.");
    }
    ("Wrong kind of value".to_owned(), detail)
}

fn name(kind: JsonType) -> &'static str {
    match kind {
        JsonType::Array => "a list",
        JsonType::Boolean => "`true` or `false`",
        JsonType::Integer => "a whole number",
        JsonType::Null => "nothing",
        JsonType::Number => "a number",
        JsonType::Object => "a map",
        JsonType::String => "text",
    }
}

fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "`true` or `false`",
        Value::Number(number) if number.is_f64() => "a number with a fraction",
        Value::Number(_) => "a whole number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}

/// A value in a summary.
fn show(value: &Value) -> String {
    match value {
        Value::String(text) => format!("{:?}", shortened(text)),
        Value::Array(_) => "of a list".to_owned(),
        Value::Object(_) => "of a map".to_owned(),
        other => format!("`{other}`"),
    }
}

/// A possible value, as one would write it.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn count(bound: &str, number: u64, thing: &str) -> String {
    match number {
        1 => format!("{bound} 1 {thing}"),
        _ => format!("{bound} {number} {thing}s"),
    }
}

/// Names in a sentence: `a`, `b` and `c`.
pub(super) fn list(names: &[&str], last: &str) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., end] => format!("{} {last} {end}", most.join(", ")),
    }
}
