//! The pages of functions.

use std::fmt::Write as _;

use oam_provider::protocol::function::{Parameter, Signature};

use crate::page::{code, front};
use crate::{files, schema};

/// The page of a function: its file in `docs`, and its text.
pub fn page(name: &str, signature: &Signature) -> (String, String) {
    let mut text = front(&format!("{name} function - oam"), "", &signature.summary);
    let intro = files::template(&format!("functions/{name}.md"));
    let intro = intro.unwrap_or_else(|| signature.description.clone());
    let usage = code(
        "terraform",
        &files::example(&format!("functions/{name}/function.tf")),
    );
    write!(
        text,
        "# function: {name}\n\n{intro}\n\n## Example Usage\n\n{usage}\n"
    )
    .unwrap();

    let mut parameters: Vec<_> = signature.parameters.iter().map(typed).collect();
    parameters.extend(
        signature
            .variadic
            .iter()
            .map(|more| format!("{}...", typed(more))),
    );
    let returns = schema::name(&signature.returns).to_lowercase();
    let line = format!("{name}({}) {returns}", parameters.join(", "));
    write!(text, "## Signature\n\n{}", code("text", &line)).unwrap();

    let all = signature.parameters.iter().chain(&signature.variadic);
    for (index, parameter) in all.enumerate() {
        if index == 0 {
            text.push_str("\n## Arguments\n\n");
        }
        let several = if index == signature.parameters.len() {
            ", Variadic"
        } else {
            ""
        };
        let nullable = if parameter.allow_null {
            ", Nullable"
        } else {
            ""
        };
        writeln!(
            text,
            "{}. `{}` ({}{several}{nullable}) {}",
            index + 1,
            parameter.name,
            schema::name(&parameter.ty),
            parameter.description
        )
        .unwrap();
    }
    (format!("functions/{name}.md"), text)
}

fn typed(parameter: &Parameter) -> String {
    format!(
        "{} {}",
        parameter.name,
        schema::name(&parameter.ty).to_lowercase()
    )
}
