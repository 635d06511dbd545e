//! Who made a policy: the text that says so in its description.

use std::fmt;

use super::Names;

/// The meta key of the tenant that a namespace was made for.
pub const META_TENANT: &str = "oam.tenant";

const BEFORE: &str = "Of the tenant ";
const BETWEEN: &str = ", made by terraform-provider-oam with the Consul key prefix ";

/// For which tenant something was made, and under which Consul key prefix its record is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The tenant.
    pub tenant: String,
    /// The key prefix.
    pub prefix: String,
}

impl Mark {
    /// The mark of a tenant.
    pub fn of(names: &Names) -> Self {
        Self {
            tenant: names.tenant().to_owned(),
            prefix: names.prefix().to_owned(),
        }
    }

    /// Reads a mark; `None` where the text is none.
    pub fn read(text: &str) -> Option<Self> {
        let (tenant, prefix) = text.strip_prefix(BEFORE)?.split_once(BETWEEN)?;
        Some(Self {
            tenant: tenant.to_owned(),
            prefix: prefix.to_owned(),
        })
    }
}

/// The text. Tenants' names and key prefixes have neither blanks nor ends of lines in them.
impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{BEFORE}{}{BETWEEN}{}", self.tenant, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_as_it_was_written() {
        let mark = Mark::of(&Names::of("teams/shop", "acme"));
        assert_eq!(Mark::read(&mark.to_string()), Some(mark));
        for text in ["", "Of the tenant acme", "of the tenant acme, made by hand"] {
            assert_eq!(Mark::read(text), None, "{text}");
        }
    }
}
