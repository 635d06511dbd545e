//! The applications that there are, by their records.

use std::sync::Arc;

use async_trait::async_trait;

use super::{failure, identity, read, schema};
use crate::protocol::diagnostic::{Diagnostic, Diagnostics, Severity};
use crate::protocol::list_resource::{Finds, Found, ListRequest, ListResource};
use crate::protocol::path::AttributePath;
use crate::protocol::resource::Context;
use crate::protocol::schema::{Attribute, Block, Mode, Schema};
use crate::protocol::value::{Type, Value};
use crate::provider::{Clients, Servers};
use crate::store::{ApplicationKey, Stored};

/// The list.
pub struct ApplicationList {
    servers: Arc<Servers>,
    ty: Type,
}

impl ApplicationList {
    /// The list, of what is on these servers.
    pub fn new(servers: Arc<Servers>) -> Self {
        let ty = schema::schema().implied_type();
        Self { servers, ty }
    }
}

#[async_trait]
impl ListResource for ApplicationList {
    fn schema(&self) -> Schema {
        let tenant = "The tenant whose applications to list (`default` has those without one); all of \
                      them otherwise.";
        Schema {
            version: 0,
            block: Block {
                attributes: vec![Attribute::new(
                    "tenant",
                    Type::String,
                    Mode::Optional,
                    tenant,
                )],
                blocks: Vec::new(),
                description: "The applications that are recorded in Consul.".to_owned(),
            },
        }
    }

    async fn validate(&self, config: &Value) -> Diagnostics {
        let refused = |tenant: &str| {
            Diagnostic::error(
                "Unreadable tenant",
                format!("{tenant:?} is no tenant's name: write letters, digits and hyphens."),
            )
            .at(AttributePath::new("tenant"))
        };
        let tenant = config.get("tenant").as_str();
        let no_tenants =
            tenant.filter(|tenant| ApplicationKey::parse(&format!("{tenant}/a")).is_err());
        no_tenants.map(refused).into_iter().collect()
    }

    async fn list(
        &self,
        _: &Context,
        request: ListRequest,
        finds: &mut Finds,
    ) -> Result<(), Diagnostics> {
        // A tenant that is none would make another folder of the key.
        let refused = self.validate(&request.config).await;
        if !refused.is_empty() {
            return Err(refused);
        }
        let clients = self.servers.required().map_err(|error| vec![error])?;
        let tenant = request.config.get("tenant").as_str();
        let listed = clients.store.list(tenant).await;
        for (key, stored) in listed.map_err(|error| vec![failure::store(&error)])? {
            if !finds.wants_more() {
                break;
            }
            let found = match stored {
                Ok(stored) => {
                    self.found(&clients, &key, &stored, request.include_resource)
                        .await
                }
                Err(error) => Err(vec![failure::store(&error)]),
            };
            finds.put(found.unwrap_or_else(left_out)).await;
        }
        Ok(())
    }
}

impl ApplicationList {
    async fn found(
        &self,
        clients: &Clients,
        key: &ApplicationKey,
        stored: &Stored,
        include_resource: bool,
    ) -> Result<Found, Diagnostics> {
        let resource = match include_resource {
            true => Some(read::recorded(clients, &self.ty, key, stored).await?.0),
            false => None,
        };
        Ok(Found {
            identity: identity::of(key),
            display_name: key.to_string(),
            resource,
            diagnostics: Vec::new(),
        })
    }
}

/// One application that cannot be read does not hide the others.
fn left_out(diagnostics: Diagnostics) -> Found {
    let warnings = diagnostics.into_iter().map(|diagnostic| Diagnostic {
        severity: Severity::Warning,
        ..diagnostic
    });
    Found::unlisted(warnings.collect())
}
