//! What the calls about identities have to do around a resource.

use std::collections::HashMap;

use super::served::{Served, decode};
use super::{Service, calls};
use crate::protocol::diagnostic::{Diagnostic, Diagnostics};
use crate::protocol::identity::Import;
use crate::protocol::resource::Resource;
use crate::protocol::value::{Value, json};
use crate::protocol::wire::tfplugin6 as wire;

impl Service {
    /// The shapes of the identities, of the resources that have them.
    pub(super) fn identity_schemas(&self) -> HashMap<String, wire::ResourceIdentitySchema> {
        let schemas = self.resources.iter().filter_map(|(name, it)| {
            let (schema, _) = it.description().identity.as_ref()?;
            Some(((*name).to_owned(), schema.to_wire()))
        });
        schemas.collect()
    }
}

/// An identity of any version as one of this version.
pub fn upgrade(
    resource: &Served<dyn Resource>,
    version: i64,
    raw: &[u8],
) -> Result<Value, Diagnostics> {
    let Some((schema, ty)) = &resource.description().identity else {
        return Err(none());
    };
    if version == schema.version {
        json::decode(raw, ty)
            .map_err(|error| vec![Diagnostic::from_value_error("identity", &error)])
    } else if version > schema.version {
        Err(calls::newer("identity", version, schema.version))
    } else {
        resource.it.upgrade_identity(version, raw)
    }
}

/// The ID of what an import names, in either way.
pub fn import_id(
    resource: &Served<dyn Resource>,
    id: &str,
    identity: Option<&wire::ResourceIdentityData>,
) -> Result<String, Diagnostics> {
    let Some(data) = identity.and_then(|it| it.identity_data.as_ref()) else {
        return Ok(id.to_owned());
    };
    let Some((schema, ty)) = &resource.description().identity else {
        return Err(none());
    };
    let identity = decode(ty, Some(data))
        .map_err(|error| vec![Diagnostic::from_value_error("identity", &error)])?;
    let missing = schema.attributes.iter().filter(|attribute| {
        attribute.import == Import::Required && identity.get(&attribute.name).is_null()
    });
    let missing: Diagnostics = missing
        .map(|attribute| {
            Diagnostic::error(
                "Incomplete identity",
                format!("An import by identity has to say `{}`.", attribute.name),
            )
        })
        .collect();
    match missing.is_empty() {
        true => resource.it.import_id(&identity),
        false => Err(missing),
    }
}

fn none() -> Diagnostics {
    vec![Diagnostic::error(
        "Resource without an identity",
        "In this version of the provider, this type of resource has no identity. Use its ID, or run \
         `terraform init -upgrade` for a later version.",
    )]
}
