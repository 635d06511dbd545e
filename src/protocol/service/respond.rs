//! Answers that say only why there is no other.

use crate::protocol::diagnostic::Diagnostic;
use crate::protocol::function::FunctionError;
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
    validate_data_resource_config,
    upgrade_resource_state,
    upgrade_resource_identity,
    move_resource_state,
    generate_resource_config,
    validate_list_resource_config,
    validate_action_config,
    plan_action,
    read_resource,
    plan_resource_change,
    apply_resource_change,
    import_resource_state,
    read_data_source,
    validate_ephemeral_resource_config,
    open_ephemeral_resource,
    renew_ephemeral_resource,
    close_ephemeral_resource,
    get_functions,
);

impl Respond for wire::call_function::Response {
    fn failed(diagnostics: &[Diagnostic]) -> Self {
        let texts = diagnostics
            .iter()
            .map(|d| format!("{}: {}", d.summary, d.detail));
        let error = FunctionError::new(texts.collect::<Vec<_>>().join(" "));
        Self {
            result: None,
            error: Some(error.to_wire()),
        }
    }
}

impl Respond for wire::stop_provider::Response {
    fn failed(diagnostics: &[Diagnostic]) -> Self {
        let texts: Vec<_> = diagnostics.iter().map(|d| d.summary.as_str()).collect();
        Self {
            error: texts.join("; "),
        }
    }
}
