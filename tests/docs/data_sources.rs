//! The pages of the data sources.

use oam_provider::protocol::resource::Provider as _;
use oam_provider::provider::OamProvider;

use super::{compare, example, schema};

#[test]
fn the_data_sources_are_what_their_schemas_say() {
    for (name, source) in OamProvider::new(|_| None).data_sources() {
        let short = name.strip_prefix("oam_").unwrap();
        let block = source.schema().block;
        let usage = example(&format!("data-sources/{name}/data-source.tf"));
        let description = &block.description;
        let mut text = format!(
            "---\npage_title: \"{name} Data Source - oam\"\nsubcategory: \"\"\ndescription: |-\n  \
             {description}\n---\n\n# {name} (Data Source)\n\n{description}\n\n## Example Usage\n\n\
             ```terraform\n{usage}\n```\n\n"
        );
        schema(&mut text, &block);
        compare(&format!("docs/data-sources/{short}.md"), &text);
    }
}
