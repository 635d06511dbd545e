//! What Terraform shows a user who must know something.

use super::path::AttributePath;
use super::value::ValueError;
use super::wire::tfplugin6::Diagnostic as WireDiagnostic;
use super::wire::tfplugin6::diagnostic::Severity as WireSeverity;

/// How grave a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The operation has failed.
    Error,
    /// The operation goes on.
    Warning,
}

/// One message to the user, at the attribute it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How grave it is.
    pub severity: Severity,
    /// One line: what is wrong.
    pub summary: String,
    /// Sentences: why, and what to do about it.
    pub detail: String,
    /// The attribute it is about; empty for the whole.
    pub path: AttributePath,
}

impl Diagnostic {
    /// An error about the whole.
    pub fn error(summary: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            summary: summary.into(),
            detail: detail.into(),
            path: AttributePath::ROOT,
        }
    }

    /// A warning about the whole.
    pub fn warning(summary: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(summary, detail)
        }
    }

    /// The same, about an attribute.
    #[must_use]
    pub fn at(mut self, path: AttributePath) -> Self {
        self.path = path;
        self
    }

    /// A value from Terraform that the schema does not allow, or one of ours.
    pub fn from_value_error(what: &str, error: &ValueError) -> Self {
        Self::error(
            format!("Unreadable {what}"),
            format!(
                "{error}. Terraform and the provider disagree about the schema; \
                 run `terraform init -upgrade`, and report this if it stays."
            ),
        )
        .at(error.path.clone())
    }

    /// The form on the wire.
    pub fn to_wire(&self) -> WireDiagnostic {
        let severity = match self.severity {
            Severity::Error => WireSeverity::Error,
            Severity::Warning => WireSeverity::Warning,
        };
        WireDiagnostic {
            severity: severity.into(),
            summary: self.summary.clone(),
            detail: self.detail.clone(),
            attribute: self.path.to_wire(),
        }
    }
}

/// Several messages, in the order in which they were found.
pub type Diagnostics = Vec<Diagnostic>;

/// Whether one of them is an error.
pub fn has_error(diagnostics: &[Diagnostic]) -> bool {
    diagnostics
        .iter()
        .any(|diagnostic| diagnostic.severity == Severity::Error)
}
