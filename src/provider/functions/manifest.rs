//! `manifest`: an object in the shape of the HCL as a portable document.

use super::problems;
use crate::oam::def::{self, Block, Kind};
use crate::oam::{self, Node, Problem, Severity};
use crate::protocol::function::{Function, FunctionError, Parameter, Signature};
use crate::protocol::value::{Type, Value};
use crate::provider::convert;

/// The function.
pub struct ToManifest;

impl Function for ToManifest {
    fn signature(&self) -> Signature {
        Signature {
            summary: "The portable OAM document of an object".to_owned(),
            description: "Gives the portable OAM document, as JSON, of an application that is written as \
                          an object with the names of the blocks and attributes of `oam_application`: \
                          blocks with a label are objects by label, such as \
                          `component = { web = { … } }`, and blocks that repeat are lists. The \
                          application is checked as that of the resource is. The function \
                          `parse_manifest` is the other way round."
                .to_owned(),
            parameters: vec![Parameter::new(
                "application",
                Type::Dynamic,
                "An object in the shape of `oam_application`.",
            )],
            variadic: None,
            returns: Type::String,
        }
    }

    fn call(&self, arguments: Vec<Value>) -> Result<Value, FunctionError> {
        let given = arguments.first().map_or(Node::Null, convert::to_node);
        let node = block(given, def::application());
        let mut found: Vec<Problem> = oam::validate(&node);
        found.retain(|problem| problem.severity == Severity::Error);
        if !found.is_empty() {
            return Err(problems(&found));
        }
        Ok(format!("{:#}\n", oam::to_document(&node)).into())
    }
}

/// A block of an object, converted as Terraform would convert it for a block of the resource: a number or
/// a flag where text belongs is text. What does not fit stays as it is, for the checks to find.
fn block(node: Node, definition: &Block) -> Node {
    match node {
        Node::Map(entries) => {
            let entries = entries.into_iter().map(|(name, node)| {
                let node = match definition.field(&name) {
                    Some(known) => field(node, &known.kind),
                    None => node,
                };
                (name, node)
            });
            Node::Map(entries.collect())
        }
        other => other,
    }
}

fn field(node: Node, kind: &Kind) -> Node {
    match kind {
        Kind::Text(_) | Kind::Enum(_) => text(node),
        Kind::List(_) | Kind::Map(..) | Kind::Variables => each(node, text),
        Kind::Single(inner) => block(node, inner),
        Kind::Labelled(inner) | Kind::Repeated(inner) => each(node, |node| block(node, inner)),
        Kind::Bool | Kind::Integer { .. } => node,
    }
}

fn each(node: Node, convert: impl Fn(Node) -> Node) -> Node {
    match node {
        Node::List(items) => Node::List(items.into_iter().map(convert).collect()),
        Node::Map(entries) => Node::Map(
            entries
                .into_iter()
                .map(|(name, node)| (name, convert(node)))
                .collect(),
        ),
        other => other,
    }
}

fn text(node: Node) -> Node {
    match node {
        Node::Bool(value) => Node::String(value.to_string()),
        Node::Number(number) => Node::String(number.to_string()),
        other => other,
    }
}
