//! Answers that consist of diagnostics alone.

use crate::protocol::diagnostic::Diagnostic;
use crate::protocol::wire::tfplugin6 as wire;

/// An answer that can say why there is no other.
pub trait Respond {
    /// The answer to a call that failed.
    fn failed(diagnostics: &[Diagnostic]) -> Self;
}

/// The wire form of several diagnostics.
pub fn to_wire(diagnostics: &[Diagnostic]) -> Vec<wire::Diagnostic> {
    diagnostics.iter().map(Diagnostic::to_wire).collect()
}

macro_rules! respond {
    ($($message:ident),+ $(,)?) => {$(
        impl Respond for wire::$message::Response {
            fn failed(diagnostics: &[Diagnostic]) -> Self {
                let mut response = Self::default();
                response.diagnostics = to_wire(diagnostics);
                response
            }
        }
    )+};
}

respond!(
    get_metadata,
    get_provider_schema,
    get_resource_identity_schemas,
    validate_provider_config,
    configure_provider,
    validate_resource_config,
    upgrade_resource_state,
    read_resource,
    plan_resource_change,
    apply_resource_change,
    import_resource_state,
    get_functions,
);

impl Respond for wire::stop_provider::Response {
    fn failed(diagnostics: &[Diagnostic]) -> Self {
        let texts: Vec<_> = diagnostics.iter().map(|d| d.summary.as_str()).collect();
        Self {
            error: texts.join("; "),
        }
    }
}
