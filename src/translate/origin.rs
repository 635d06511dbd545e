//! Where the fields of a job came from, and the way back.

use crate::oam::{Node, Path, units};

/// Where a field of a job came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Origin {
    /// The field, such as `TaskGroups/web/Tasks/web/Config/image`: items of lists go by name.
    pub job_path: String,
    /// The attribute.
    pub attribute: Path,
    /// From the field's live value to the attribute's.
    pub inverse: Inverse,
}

/// How a field's live value becomes an attribute's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inverse {
    /// The same text.
    Text,
    /// The same number.
    Number,
    /// The same flag.
    Bool,
    /// MHz as an amount of CPU.
    Mhz,
    /// MiB as an amount of memory.
    Mib,
    /// Nanoseconds as a duration.
    Duration,
    /// A list of text.
    TextList,
    /// A list of one text, as that text.
    OnlyText,
    /// Text by key.
    TextMap,
}

impl Inverse {
    /// The attribute's value; `None` where there is none that means the same.
    pub fn invert(self, live: &serde_json::Value) -> Option<Node> {
        let text = |text: String| Some(Node::String(text));
        match self {
            Self::Text if live.is_string() => Some(Node::from(live)),
            Self::Number if live.is_u64() => Some(Node::from(live)),
            Self::Bool if live.is_boolean() => Some(Node::from(live)),
            Self::Mhz => text(format!("{}m", live.as_u64()?)),
            Self::Mib => text(format!("{}Mi", live.as_u64()?)),
            Self::Duration => text(units::from_nanoseconds(live.as_u64()?)),
            Self::TextList if all_text(live.as_array()?.iter()) => Some(Node::from(live)),
            Self::OnlyText => match live.as_array()?.as_slice() {
                [only] if only.is_string() => Some(Node::from(only)),
                _ => None,
            },
            Self::TextMap if all_text(live.as_object()?.values()) => Some(Node::from(live)),
            _ if live.is_null() => Some(Node::Null),
            _ => None,
        }
    }
}

fn all_text<'v>(mut values: impl Iterator<Item = &'v serde_json::Value>) -> bool {
    values.all(serde_json::Value::is_string)
}

/// The name of an item of a list as one part of a job path: slashes as in a JSON pointer.
pub fn item_name(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
