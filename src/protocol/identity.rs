//! What tells one object of a type from another, apart from its state: protocol 6.9.

use super::value::Type;
use super::wire::tfplugin6 as wire;

/// The shape of an identity, with a version for its upgrades.
#[derive(Clone, Debug, Default)]
pub struct IdentitySchema {
    /// Raised when an older identity needs an upgrade.
    pub version: i64,
    /// The attributes, none of them nested.
    pub attributes: Vec<IdentityAttribute>,
}

/// One attribute of an identity.
#[derive(Clone, Debug)]
pub struct IdentityAttribute {
    /// Lower-case letters, digits and underscores.
    pub name: String,
    /// A primitive type, or a list of one.
    pub ty: Type,
    /// Whether an import has to say it.
    pub import: Import,
    /// Plain text.
    pub description: String,
}

/// Whether an import by identity has to say an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Import {
    /// Always.
    Required,
    /// Where it is not what the provider takes otherwise.
    Optional,
}

impl IdentitySchema {
    /// The type of the identities of this shape.
    pub fn implied_type(&self) -> Type {
        Type::object(self.attributes.iter().map(|a| (&*a.name, a.ty.clone())))
    }

    /// The form on the wire.
    pub fn to_wire(&self) -> wire::ResourceIdentitySchema {
        let attributes = self.attributes.iter().map(IdentityAttribute::to_wire);
        wire::ResourceIdentitySchema {
            version: self.version,
            identity_attributes: attributes.collect(),
        }
    }
}

impl IdentityAttribute {
    /// An attribute that is a text.
    pub fn text(name: &str, import: Import, description: &str) -> Self {
        Self {
            name: name.to_owned(),
            ty: Type::String,
            import,
            description: description.to_owned(),
        }
    }

    fn to_wire(&self) -> wire::resource_identity_schema::IdentityAttribute {
        wire::resource_identity_schema::IdentityAttribute {
            name: self.name.clone(),
            r#type: self.ty.to_json().to_string().into_bytes(),
            required_for_import: self.import == Import::Required,
            optional_for_import: self.import == Import::Optional,
            description: self.description.clone(),
        }
    }
}
