//! What `anyOf` and `oneOf` have to say: the problems of the branch that was meant.

use std::collections::BTreeSet;

use jsonschema::error::ValidationErrorKind as Kind;
use jsonschema::{JsonType, ValidationError};
use serde_json::Value;

use super::{Check, SchemaProblem, words};

impl Check<'_> {
    /// The problems of a value that fits no branch. `errors` are those of each.
    pub(super) fn branches(
        &self,
        error: &ValidationError<'_>,
        errors: &[Vec<ValidationError<'static>>],
    ) -> Vec<SchemaProblem> {
        let meant: Vec<_> = errors
            .iter()
            .filter(|branch| !branch.iter().any(|inner| rules_out(error, inner)))
            .collect();
        if let [branch] = meant.as_slice() {
            return branch
                .iter()
                .flat_map(|error| self.problems(error))
                .collect();
        }
        if meant.is_empty()
            && let Some(problem) = self.ruled_out(error, errors)
        {
            return vec![problem];
        }
        let problems = |branch: &Vec<ValidationError<'static>>| -> BTreeSet<_> {
            branch
                .iter()
                .flat_map(|error| self.problems(error))
                .collect()
        };
        let all: Vec<_> = errors.iter().map(problems).collect();
        let common = all.iter().skip(1).fold(
            all.first().cloned().unwrap_or_default(),
            |common, branch| &common & branch,
        );
        if !common.is_empty() {
            return common.into_iter().collect();
        }
        let nearest = all.iter().min_by_key(|branch| branch.len());
        let nearest: Vec<_> = nearest
            .into_iter()
            .flatten()
            .map(|problem| {
                format!(
                    "at `{}`: {}. {}",
                    problem.pointer, problem.summary, problem.detail
                )
            })
            .collect();
        let detail = format!(
            "The value fits none of the {} forms that are possible here. What is wrong with the \
             nearest is {}",
            errors.len(),
            nearest.join(" And "),
        );
        vec![self.at(self.pointer(error), "Fits no form".to_owned(), detail)]
    }

    /// One problem, where every branch is for another type of value, or for another value of the
    /// same field.
    fn ruled_out(
        &self,
        error: &ValidationError<'_>,
        errors: &[Vec<ValidationError<'static>>],
    ) -> Option<SchemaProblem> {
        let first = |branch: &'_ Vec<ValidationError<'static>>| {
            branch.iter().position(|inner| rules_out(error, inner))
        };
        let reasons: Vec<_> = errors
            .iter()
            .filter_map(|branch| branch.get(first(branch)?))
            .collect();
        let path = reasons.first()?.instance_path();
        if reasons.iter().any(|reason| reason.instance_path() != path) {
            return None;
        }
        let mut types: Vec<JsonType> = Vec::new();
        let mut options: Vec<&Value> = Vec::new();
        for reason in &reasons {
            match reason.kind() {
                Kind::Type { kind } => types.extend(words::types(kind)),
                Kind::Constant { expected_value } => options.push(expected_value),
                Kind::Enum { options: several } => options.extend(several.as_array()?),
                _ => return None,
            }
        }
        let value = reasons.first()?.instance();
        let (summary, detail) = match (types.is_empty(), options.is_empty()) {
            (false, true) => words::wrong_kind(&types, value),
            (true, false) => words::unknown_value(value, &options),
            _ => return None,
        };
        Some(self.at(self.pointer(reasons.first()?), summary, detail))
    }
}

/// Whether an error within a branch says that the branch is for other values: of another type, or
/// with another constant in a field such as `type`.
fn rules_out(whole: &ValidationError<'_>, inner: &ValidationError<'_>) -> bool {
    let (whole, path) = (
        whole.instance_path().as_str(),
        inner.instance_path().as_str(),
    );
    match inner.kind() {
        Kind::Type { .. } | Kind::Enum { .. } => path == whole,
        Kind::Constant { .. } => {
            let below = path.strip_prefix(whole);
            below.is_some_and(|rest| rest.matches('/').count() <= 1)
        }
        _ => false,
    }
}
