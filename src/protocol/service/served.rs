//! What a provider serves, and how it is described.
//!
//! A description is made when a call first needs it: Terraform starts a provider several times in
//! one apply, and most of these processes are asked for little.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use crate::protocol::diagnostic::{Diagnostic, Diagnostics};
use crate::protocol::identity::IdentitySchema;
use crate::protocol::resource::Resource;
use crate::protocol::schema::Schema;
use crate::protocol::value::{Type, Value, ValueError, json, msgpack};
use crate::protocol::wire::tfplugin6::{DynamicValue, ResourceIdentityData};

/// One thing that a provider serves, with its description.
pub struct Served<T: ?Sized, D = Described> {
    /// The thing itself.
    pub it: Arc<T>,
    describe: fn(&T) -> D,
    description: OnceLock<D>,
}

impl<T: ?Sized, D> Served<T, D> {
    /// A thing that is not described yet.
    pub fn new(it: Arc<T>, describe: fn(&T) -> D) -> Self {
        Self {
            it,
            describe,
            description: OnceLock::new(),
        }
    }

    /// The description. A panic in the making of it is that of the call which needs it.
    pub fn description(&self) -> &D {
        self.description.get_or_init(|| (self.describe)(&self.it))
    }
}

/// Several things by their names.
pub fn by_name<T: ?Sized, D>(
    all: Vec<(&'static str, Arc<T>)>,
    describe: fn(&T) -> D,
) -> BTreeMap<&'static str, Arc<Served<T, D>>> {
    all.into_iter()
        .map(|(name, it)| (name, Arc::new(Served::new(it, describe))))
        .collect()
}

/// A schema and the type it implies.
pub struct Described {
    /// The schema.
    pub schema: Schema,
    /// The type of its values.
    pub ty: Type,
    /// The schema of its identities and their type, of a resource that has them.
    pub identity: Option<(IdentitySchema, Type)>,
    /// Whether there is anything write-only in the schema.
    has_write_only: bool,
}

impl Described {
    /// Describes a thing by its schema.
    pub fn new(schema: Schema) -> Self {
        let ty = schema.implied_type();
        Self {
            has_write_only: schema.has_write_only(),
            schema,
            ty,
            identity: None,
        }
    }

    /// Describes a resource.
    pub fn resource(it: &dyn Resource) -> Self {
        let identity = it.identity().map(|schema| {
            let ty = schema.implied_type();
            (schema, ty)
        });
        Self {
            identity,
            ..Self::new(it.schema())
        }
    }

    /// A value from Terraform; `what` it is goes into the diagnostic.
    pub fn decode(&self, what: &str, value: Option<&DynamicValue>) -> Result<Value, Diagnostics> {
        decode(&self.ty, value).map_err(|error| vec![Diagnostic::from_value_error(what, &error)])
    }

    /// A value for Terraform, without what is write-only.
    pub fn encode(&self, what: &str, mut value: Value) -> Result<DynamicValue, Diagnostics> {
        if self.has_write_only {
            self.schema.strip_write_only(&mut value);
        }
        encode(&self.ty, &value).map_err(|error| vec![Diagnostic::from_value_error(what, &error)])
    }

    /// An identity for Terraform; none where there is none, or where it is not known yet.
    pub fn encode_identity(
        &self,
        identity: &Value,
    ) -> Result<Option<ResourceIdentityData>, Diagnostics> {
        let Some((_, ty)) = &self.identity else {
            return Ok(None);
        };
        if identity.is_null() || !identity.is_wholly_known() {
            return Ok(None);
        }
        let data = encode(ty, identity)
            .map_err(|error| vec![Diagnostic::from_value_error("identity", &error)])?;
        Ok(Some(ResourceIdentityData {
            identity_data: Some(data),
        }))
    }
}

/// A value of a type, in either form; null where there is none.
pub fn decode(ty: &Type, value: Option<&DynamicValue>) -> Result<Value, ValueError> {
    match value {
        Some(value) if !value.msgpack.is_empty() => msgpack::decode(&value.msgpack, ty),
        Some(value) if !value.json.is_empty() => json::decode(&value.json, ty),
        _ => Ok(Value::Null),
    }
}

/// A value of a type in the form that every Terraform reads.
pub fn encode(ty: &Type, value: &Value) -> Result<DynamicValue, ValueError> {
    Ok(DynamicValue {
        msgpack: msgpack::encode(value, ty)?,
        json: Vec::new(),
    })
}
