//! The pages of the functions.

use std::fmt::Write as _;

use oam_provider::protocol::function::{Parameter, Signature};
use oam_provider::protocol::resource::Provider as _;
use oam_provider::provider::OamProvider;

use super::{compare, example, name};

#[test]
fn the_functions_are_what_their_signatures_say() {
    for (name, function) in OamProvider::new(|_| None).functions() {
        compare(
            &format!("docs/functions/{name}.md"),
            &page(name, &function.signature()),
        );
    }
}

fn page(function: &str, signature: &Signature) -> String {
    let Signature {
        summary,
        description,
        ..
    } = signature;
    let usage = example(&format!("functions/{function}/function.tf"));
    let parameters: Vec<_> = signature
        .parameters
        .iter()
        .chain(&signature.variadic)
        .collect();
    let typed = |one: &&Parameter| format!("{} {}", one.name, name(&one.ty).to_lowercase());
    let list: Vec<_> = parameters.iter().map(typed).collect();
    let mut text = format!(
        "---\npage_title: \"{function} function - oam\"\nsubcategory: \"\"\ndescription: |-\n  {summary}\n---\n\n\
         # function: {function}\n\n{description}\n\n## Example Usage\n\n```terraform\n{usage}\n```\n\n\
         ## Signature\n\n```text\n{function}({}) {}\n```\n\n## Arguments\n\n",
        list.join(", "),
        name(&signature.returns).to_lowercase(),
    );
    for (index, one) in parameters.iter().enumerate() {
        let ty = name(&one.ty);
        writeln!(
            text,
            "{}. `{}` ({ty}) {}",
            index + 1,
            one.name,
            one.description
        )
        .unwrap();
    }
    text
}
