//! `oam_tenant_token`: short-lived tokens of Nomad and Consul with the policies of a tenant, for as long as
//! Terraform works with them.
//!
//! A plan that only begins to make the tenant, or makes it active again, cannot have them yet: there they
//! are unknown. What is kept between the opening and the close are accessors, which are not secret.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::http::{self, Acl, Error};
use crate::oam::form;
use crate::protocol::diagnostic::{Diagnostic, Diagnostics, has_error};
use crate::protocol::ephemeral::{EphemeralResource, Opened};
use crate::protocol::path::AttributePath;
use crate::protocol::resource::Context;
use crate::protocol::schema::{Attribute, Block, Mode, Schema};
use crate::protocol::value::{Type, Value};
use crate::provider::application::failure;
use crate::provider::planned::{Known, PlannedTenant};
use crate::provider::{Clients, Servers};
use crate::store::{Phase, TenantKey, TenantRecord};
use crate::tenants::Names;
use crate::{consul, nomad};

/// How long the tokens are good, unless the configuration says otherwise.
const TTL: Duration = Duration::from_secs(15 * 60);
/// The least that Nomad and Consul take, unless configured otherwise.
const LEAST: Duration = Duration::from_secs(60);
/// The most that they take.
const MOST: Duration = Duration::from_secs(24 * 60 * 60);

/// The ephemeral resource.
pub struct TenantToken {
    servers: Arc<Servers>,
}

impl TenantToken {
    /// The ephemeral resource, on these servers.
    pub fn new(servers: Arc<Servers>) -> Self {
        Self { servers }
    }
}

#[async_trait]
impl EphemeralResource for TenantToken {
    fn schema(&self) -> Schema {
        let given = |name, ty, mode, doc| Attribute::new(name, ty, mode, doc);
        let made = |name, doc| Attribute::new(name, Type::String, Mode::Computed, doc);
        let attributes = vec![
            given(
                "tenant",
                Type::String,
                Mode::Required,
                "Name of the tenant, which is an `oam_tenant`.",
            ),
            given(
                "ttl",
                Type::String,
                Mode::Optional,
                "How long the tokens are good at most, such as `90s` or `1h`, from a minute to a day; `15m` \
                 otherwise. They cannot be renewed: it has to last for the whole run.",
            ),
            given(
                "consul",
                Type::Bool,
                Mode::Optional,
                "Whether to make a token of Consul, too; `true` otherwise.",
            ),
            given(
                "global",
                Type::Bool,
                Mode::Optional,
                "Whether Nomad's token is good in all regions of its federation; `false` otherwise.",
            ),
            made(
                "nomad_token",
                "The token of Nomad; null where Nomad has its ACLs off.",
            )
            .sensitive(),
            made(
                "nomad_accessor_id",
                "What names the token in Nomad, and is not secret.",
            ),
            made(
                "consul_token",
                "The token of Consul; null where Consul has its ACLs off, or `consul` is `false`.",
            )
            .sensitive(),
            made(
                "consul_accessor_id",
                "What names the token in Consul, and is not secret.",
            ),
            made("namespace", "Nomad namespace of the tenant."),
            made(
                "expires_at",
                "When the tokens end by themselves, RFC 3339; null where there is none.",
            ),
        ];
        let block = Block {
            attributes,
            blocks: Vec::new(),
            description: "Short-lived tokens of Nomad and Consul that may do what a tenant may. They are \
                          revoked when nothing in the run needs them any more, and never in a state or plan."
                .to_owned(),
        };
        Schema { version: 0, block }
    }

    async fn validate(&self, config: &Value) -> Diagnostics {
        let tenant = config.get("tenant").as_str();
        let tenant = tenant.and_then(|name| TenantKey::parse(name).err());
        let tenant = tenant.map(|why| {
            let what = format!("Not {}", form::TENANT.what);
            Diagnostic::error(what, why).at(AttributePath::new("tenant"))
        });
        tenant.into_iter().chain(ttl(config).err()).collect()
    }

    async fn open(&self, cx: &Context, config: Value) -> Result<Opened, Diagnostics> {
        let name = config.get("tenant").as_str().unwrap_or_default();
        let unknown = || opened(&config, name, Tokens::Unknown);
        let clients = match self.servers.known() {
            Some(clients) => clients,
            None if !self.servers.are_known() => return Ok(unknown()),
            None => self.servers.required().map_err(|error| vec![error])?,
        };
        let usable = is_usable(&self.servers, &clients, name).await;
        if !usable.map_err(|error| vec![error.at(AttributePath::new("tenant"))])? {
            return Ok(unknown());
        }
        let made = make(cx, &clients, &config, name).await?;
        self.servers.open_tokens().add(made.kept(name));
        Ok(opened(&config, name, Tokens::Made(made)))
    }

    async fn close(&self, _: &Context, private: Vec<u8>) -> Diagnostics {
        // Nothing was made where ACLs are off, or nothing is known.
        if private.is_empty() {
            return Vec::new();
        }
        let Ok(kept) = serde_json::from_slice::<Kept>(&private) else {
            let detail = "What was kept of the tokens is not what this version of the provider keeps. They end \
                          by themselves.";
            return vec![Diagnostic::error("Tokens that cannot be revoked", detail)];
        };
        let clients = match self.servers.required() {
            Ok(clients) => clients,
            Err(error) => return vec![error],
        };
        let said = kept.revoke(&clients).await;
        // What could not be revoked is tried once more when the process ends.
        if !has_error(&said) {
            self.servers.open_tokens().remove(&kept);
        }
        said
    }
}

/// How long the tokens are good at most.
fn ttl(config: &Value) -> Result<Duration, Diagnostic> {
    let Some(text) = config.get("ttl").as_str() else {
        return Ok(TTL);
    };
    let at = AttributePath::new("ttl");
    match humantime::parse_duration(text) {
        Ok(ttl) if (LEAST..=MOST).contains(&ttl) => Ok(ttl),
        Ok(_) => Err(Diagnostic::error(
            "Unusable time to live",
            format!("{text:?} is not between a minute (`1m`) and a day (`24h`)."),
        )
        .at(at)),
        Err(_) => Err(Diagnostic::error(
            "Unreadable duration",
            format!("{text:?} is not a duration. Write it such as `90s`, `15m` or `1h30m`."),
        )
        .at(at)),
    }
}

/// Whether the tenant can have tokens now; `false` where only the plan that is being made lets it.
///
/// # Errors
/// Why it cannot have any.
async fn is_usable(servers: &Servers, clients: &Clients, name: &str) -> Result<bool, Diagnostic> {
    let found = clients.store.read_tenant(&TenantKey::new(name)).await;
    let found = found.map_err(|error| failure::store(&error))?;
    let now = refusal(name, found.as_ref().map(|it| &it.record));
    let will_be = match servers.planned_tenants().get(name) {
        Some(PlannedTenant::Tenant(rules)) => Some(rules.active != Known::Is(false)),
        // A run that destroys the tenant destroys its applications before, with these tokens.
        Some(PlannedTenant::Gone) | None => None,
    };
    match (now, will_be) {
        (_, Some(false)) => Err(inactive(name)),
        (None, _) => Ok(true),
        (Some(_), Some(true)) => Ok(false),
        (Some(error), None) => Err(error),
    }
}

/// Why a tenant with this record can have no tokens, if so.
fn refusal(name: &str, record: Option<&TenantRecord>) -> Option<Diagnostic> {
    let (summary, detail) = match record {
        None => (
            format!("No tenant {name:?}"),
            "Consul has no record of it, so there are no policies to make a token with. Create it first, as \
             an `oam_tenant` of this provider block; with another one, in a run before.",
        ),
        Some(record) => match record.phase {
            Phase::Settled if record.active => return None,
            Phase::Settled => return Some(inactive(name)),
            Phase::Applying => (
                format!("The last apply of the tenant {name} is not through"),
                "It is under way, or has failed, and the tenant's policies may be missing. Apply the tenant \
                 first.",
            ),
            Phase::Destroying => (
                format!("The tenant {name} is being destroyed"),
                "It gets no tokens any more. Take away what needs them, or create the tenant again.",
            ),
        },
    };
    Some(Diagnostic::error(summary, detail))
}

fn inactive(name: &str) -> Diagnostic {
    Diagnostic::error(
        format!("The tenant {name} is not active"),
        "It gets no tokens. Set `active = true` in the tenant first, or use the provider's own tokens.",
    )
}

/// The tokens as a configuration gets them.
enum Tokens {
    /// They cannot be had yet.
    Unknown,
    /// They are there, each where the server has its ACLs on.
    Made(Made),
}

/// The tokens that were made.
#[derive(Default)]
struct Made {
    nomad: Option<nomad::AclToken>,
    consul: Option<consul::AclToken>,
}

/// What is kept for the close.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Kept {
    tenant: String,
    /// The accessor of Nomad's token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nomad: Option<String>,
    /// The accessor of Consul's token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    consul: Option<String>,
    /// When they end by themselves, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
}

impl Made {
    fn kept(&self, tenant: &str) -> Kept {
        let nomad = self.nomad.as_ref();
        let consul = self.consul.as_ref();
        // Nomad's is made first, for the same time.
        let first = nomad.and_then(|it| it.expiration_time.as_ref());
        let expires_at = first.or(consul.and_then(|it| it.expiration_time.as_ref()));
        Kept {
            tenant: tenant.to_owned(),
            nomad: nomad.map(|it| it.accessor.clone()),
            consul: consul.map(|it| it.accessor.clone()),
            expires_at: expires_at.cloned(),
        }
    }
}

/// The answer to an opening.
fn opened(config: &Value, tenant: &str, tokens: Tokens) -> Opened {
    let known = |text: Option<&str>| text.map_or(Value::Null, Value::from);
    let mut private = Vec::new();
    let [nomad, nomad_accessor, consul, consul_accessor, expires_at] = match &tokens {
        Tokens::Unknown => [const { Value::UNKNOWN }; 5],
        Tokens::Made(made) => {
            let kept = made.kept(tenant);
            if !kept.is_empty() {
                private = serde_json::to_vec(&kept).unwrap_or_default();
            }
            [
                known(made.nomad.as_ref().map(|it| it.secret.expose())),
                known(kept.nomad.as_deref()),
                known(made.consul.as_ref().map(|it| it.secret.expose())),
                known(kept.consul.as_deref()),
                known(kept.expires_at.as_deref()),
            ]
        }
    };
    let given = |name| (name, config.get(name).clone());
    Opened {
        value: Value::from([
            given("tenant"),
            given("ttl"),
            given("consul"),
            given("global"),
            ("nomad_token", nomad),
            ("nomad_accessor_id", nomad_accessor),
            ("consul_token", consul),
            ("consul_accessor_id", consul_accessor),
            ("namespace", Names::of("", tenant).namespace().into()),
            ("expires_at", expires_at),
        ]),
        private,
        renew_at: None,
        diagnostics: Vec::new(),
    }
}

/// Makes the tokens; where one cannot be made, the other is revoked.
async fn make(
    cx: &Context,
    clients: &Clients,
    config: &Value,
    tenant: &str,
) -> Result<Made, Diagnostics> {
    let ttl = ttl(config).map_err(|error| vec![error])?;
    let flag = |name, default| config.get(name).as_bool().unwrap_or(default);
    let mut made = Made::default();
    let result = async {
        made.nomad = of_nomad(clients, tenant, flag("global", false), ttl).await?;
        if cx.cancel.is_cancelled() {
            return Err(interrupted());
        }
        if flag("consul", true) {
            made.consul = of_consul(clients, tenant, ttl).await?;
        }
        Ok(())
    };
    let Err(error) = result.await else {
        return Ok(made);
    };
    let mut said = vec![error];
    said.extend(made.kept(tenant).revoke(clients).await);
    Err(said)
}

/// Makes the token of Nomad; `None` where Nomad has its ACLs off.
async fn of_nomad(
    clients: &Clients,
    tenant: &str,
    global: bool,
    ttl: Duration,
) -> Result<Option<nomad::AclToken>, Diagnostic> {
    let policy = Names::of(clients.store.prefix(), tenant).slug();
    let name = format!("oam_tenant_token of {tenant}");
    let failed = |error: Error| not_made("Nomad", tenant, ttl, &error);
    // Nomad does not look whether a token's policies exist.
    match clients.nomad.acl_policy(&policy).await.map_err(failed)? {
        Acl::Off => return Ok(None),
        Acl::On(None) => return Err(no_policy("Nomad", tenant, &policy)),
        Acl::On(Some(_)) => {}
    }
    let token = nomad::NewAclToken {
        name,
        policies: vec![policy],
        global,
        ttl,
    };
    let made = clients.nomad.create_acl_token(&token).await;
    Ok(made.map_err(failed)?.on())
}

/// Makes the token of Consul; `None` where Consul has its ACLs off.
async fn of_consul(
    clients: &Clients,
    tenant: &str,
    ttl: Duration,
) -> Result<Option<consul::AclToken>, Diagnostic> {
    let policy = Names::of(clients.store.prefix(), tenant).slug();
    let consul = clients.store.consul();
    let failed = |error: Error| not_made("Consul", tenant, ttl, &error);
    match consul.acl_policy(&policy).await.map_err(failed)? {
        Acl::Off => return Ok(None),
        Acl::On(None) => return Err(no_policy("Consul", tenant, &policy)),
        Acl::On(Some(_)) => {}
    }
    let token = consul::NewAclToken {
        description: format!("oam_tenant_token of {tenant}"),
        policies: vec![policy],
        roles: Vec::new(),
        local: false,
        ttl,
    };
    let made = consul.create_acl_token(&token).await;
    Ok(made.map_err(failed)?.on())
}

fn no_policy(server: &str, tenant: &str, policy: &str) -> Diagnostic {
    Diagnostic::error(
        format!("The tenant {tenant} has no policy in {server}"),
        format!(
            "There is no ACL policy {policy}, so that a token could do nothing. Apply the `oam_tenant` again: \
             somebody has deleted the policy, or {server} had its ACLs off when it was made."
        ),
    )
    .at(AttributePath::new("tenant"))
}

fn not_made(server: &str, tenant: &str, ttl: Duration, error: &Error) -> Diagnostic {
    let mut detail = error.detail();
    if let http::Kind::Unauthorized { .. } = error.kind {
        let needs = match server {
            "Nomad" => {
                "Nomad lets management tokens alone make tokens: the provider block needs one for this."
            }
            _ => "The provider's token of Consul needs `acl = \"write\"` for this.",
        };
        detail = format!("{detail} {needs}");
    }
    if error.may_have_been_done() {
        let ttl = humantime::format_duration(ttl);
        detail = format!(
            "{detail} If a token was made all the same, nobody knows it, and it ends by itself within {ttl}."
        );
    }
    Diagnostic::error(
        format!(
            "No token of {server} for the tenant {tenant}: {}",
            error.summary()
        ),
        detail,
    )
}

fn interrupted() -> Diagnostic {
    let detail = "The run was stopped before all tokens were made. What was made is revoked.";
    Diagnostic::error("Interrupted", detail)
}

impl Kept {
    /// Whether there is nothing to be revoked.
    pub(super) fn is_empty(&self) -> bool {
        self.nomad.is_none() && self.consul.is_none()
    }

    /// Revokes the tokens, each also where the other cannot be.
    pub(super) async fn revoke(&self, clients: &Clients) -> Diagnostics {
        let of_nomad = async {
            let accessor = self.nomad.as_deref()?;
            let done = clients.nomad.delete_acl_token(accessor).await;
            Some(self.revoked("Nomad", accessor, done))
        };
        let of_consul = async {
            let accessor = self.consul.as_deref()?;
            let done = clients.store.consul().delete_acl_token(accessor).await;
            Some(self.revoked("Consul", accessor, done))
        };
        let (nomad, consul) = tokio::join!(of_nomad, of_consul);
        let mut said = Vec::new();
        let mut gone = false;
        for result in [nomad, consul].into_iter().flatten() {
            match result {
                Ok(was_there) => gone |= !was_there,
                Err(error) => said.push(error),
            }
        }
        if gone && self.has_ended() {
            said.push(self.too_short());
        }
        said
    }

    /// Whether a token was still there to be revoked.
    fn revoked(
        &self,
        server: &str,
        accessor: &str,
        done: Result<Acl<bool>, Error>,
    ) -> Result<bool, Diagnostic> {
        match done {
            Ok(Acl::On(was_there)) => {
                tracing::debug!(server, accessor, was_there, "a token is revoked");
                Ok(was_there)
            }
            Ok(Acl::Off) => Ok(true),
            Err(error) => Err(self.not_revoked(server, accessor, &error)),
        }
    }

    fn has_ended(&self) -> bool {
        let ends = self.expires_at.as_deref();
        let ends = ends.and_then(|text| humantime::parse_rfc3339(text).ok());
        ends.is_some_and(|ends| ends <= SystemTime::now())
    }

    fn not_revoked(&self, server: &str, accessor: &str, error: &Error) -> Diagnostic {
        let tenant = &self.tenant;
        let ends = self.expires_at.as_deref().unwrap_or("its time");
        let command = match server {
            "Nomad" => format!("nomad acl token delete {accessor}"),
            _ => format!("consul acl token delete -accessor-id {accessor}"),
        };
        Diagnostic::error(
            format!("A token of {server} for the tenant {tenant} is not revoked"),
            format!(
                "{}: {} Its accessor is {accessor}. It ends by itself at {ends}; to revoke it before: \
                 `{command}`.",
                error.summary(),
                error.detail()
            ),
        )
    }

    fn too_short(&self) -> Diagnostic {
        let ends = self.expires_at.as_deref().unwrap_or_default();
        Diagnostic::warning(
            format!(
                "The tokens for the tenant {} have ended during the run",
                self.tenant
            ),
            format!("They were good until {ends}, and are not renewed. Set a longer `ttl`."),
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[tokio::test]
    async fn a_configuration_is_checked() {
        let token = TenantToken::new(Arc::default());
        for (tenant, ttl, want) in [
            ("acme", None, None),
            ("acme", Some("1m"), None),
            ("acme", Some("24h"), None),
            ("acme", Some("59s"), Some("ttl")),
            ("acme", Some("24h 1s"), Some("ttl")),
            ("acme", Some("soon"), Some("ttl")),
            ("default", None, Some("tenant")),
            ("a/b", None, Some("tenant")),
        ] {
            let ttl = ttl.map_or(Value::Null, Value::from);
            let config = Value::from([("tenant", tenant.into()), ("ttl", ttl)]);
            let said = token.validate(&config).await;
            let paths: Vec<_> = said.iter().map(|it| it.path.clone()).collect();
            let want: Vec<_> = want.into_iter().map(AttributePath::new).collect();
            assert_eq!(paths, want, "{config:?}");
        }
        let unknown = Value::from([("tenant", Value::UNKNOWN), ("ttl", Value::UNKNOWN)]);
        assert_eq!(token.validate(&unknown).await, []);
    }

    #[test]
    fn what_is_kept_has_no_secret_in_it() {
        let made = Made {
            nomad: Some(nomad::AclToken {
                accessor: "n-accessor".to_owned(),
                secret: "n-secret".into(),
                expiration_time: Some("2026-01-01T00:00:00Z".to_owned()),
            }),
            consul: Some(consul::AclToken {
                accessor: "c-accessor".to_owned(),
                secret: "c-secret".into(),
                expiration_time: None,
            }),
        };
        let config = Value::from([("tenant", "acme".into())]);
        let kept = made.kept("acme");
        let opened = opened(&config, "acme", Tokens::Made(made));
        assert_eq!(opened.value.get("consul_token").as_str(), Some("c-secret"));
        let text = String::from_utf8(opened.private.clone()).unwrap();
        assert!(!text.contains("secret"), "{text}");
        assert_eq!(
            serde_json::from_slice::<Kept>(&opened.private).unwrap(),
            kept
        );
        assert!(kept.has_ended());
    }

    #[test]
    fn nothing_is_kept_of_nothing() {
        let config = Value::from([("tenant", "acme".into())]);
        for tokens in [Tokens::Unknown, Tokens::Made(Made::default())] {
            assert!(opened(&config, "acme", tokens).private.is_empty());
        }
    }
}
