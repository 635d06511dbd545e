//! Consul's HTTP API: the key/value store with check-and-set, transactions and sessions, as far as
//! the records need it, and access control.
//!
//! Source: <https://developer.hashicorp.com/consul/api-docs/kv>, `/txn` and `/session` beside it.

mod acl;
mod enterprise;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::try_join;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use tokio::sync::OnceCell;

pub use acl::{AclLink, AclPolicy, AclRole, AclToken, BindingRule, NewAclToken};
pub use enterprise::Namespace;

use crate::http::{self, Endpoint, Error, Kind, Repeat, Request};

/// A client of one Consul agent. Cheap to make and to clone; connects at its first request.
#[derive(Debug, Clone)]
pub struct Client {
    http: http::Client,
    /// Where it is not the endpoint's.
    namespace: Option<String>,
    /// Whether it is the Enterprise build, once somebody has asked.
    enterprise: Arc<OnceCell<bool>>,
}

/// One key with its value.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Entry {
    /// The whole key.
    pub key: String,
    /// The value's bytes.
    #[serde(default, deserialize_with = "base64_value")]
    pub value: Vec<u8>,
    /// Index of the last change, of the value or of the lock.
    pub modify_index: u64,
    /// The session that holds the lock.
    #[serde(default)]
    pub session: Option<String>,
}

/// A health check of one instance of a service.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Check {
    /// Its name.
    pub name: String,
    /// `passing`, `warning` or `critical`.
    pub status: String,
    /// What it found, such as the HTTP status or "connection refused". An agent reports the text with
    /// a change of status, and otherwise only every `check_update_interval` (5 minutes), so it is
    /// empty for a check that never passed.
    #[serde(default)]
    pub output: String,
    /// Which instance it looks at. Nomad's begin with `_nomad-task-<allocation>`.
    #[serde(default, rename = "ServiceID")]
    pub service_id: String,
}

/// One operation of a transaction; all of them are done, or none.
///
/// Source: <https://developer.hashicorp.com/consul/api-docs/txn#tables-of-operations>.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op<'a> {
    /// Fails unless the key's index is this one.
    CheckIndex {
        /// The key.
        key: &'a str,
        /// The index it must have.
        index: u64,
    },
    /// Fails if the key exists.
    CheckNotExists {
        /// The key.
        key: &'a str,
    },
    /// Fails unless this session holds the key's lock.
    CheckSession {
        /// The key.
        key: &'a str,
        /// The session.
        session: &'a str,
    },
    /// Writes the value; the lock stays as it is.
    Set {
        /// The key.
        key: &'a str,
        /// The value.
        value: &'a [u8],
    },
    /// Writes the value if the key's index is this one; 0 means that it must not exist.
    Cas {
        /// The key.
        key: &'a str,
        /// The value.
        value: &'a [u8],
        /// The index it must have.
        index: u64,
    },
    /// Writes the value and takes the lock; fails while another session holds it.
    Lock {
        /// The key.
        key: &'a str,
        /// The value.
        value: &'a [u8],
        /// The session that is to hold the lock.
        session: &'a str,
    },
    /// Writes the value and gives the lock back; fails unless this session holds it.
    Unlock {
        /// The key.
        key: &'a str,
        /// The value.
        value: &'a [u8],
        /// The session that holds the lock.
        session: &'a str,
    },
    /// Deletes the key, if it is there.
    Delete {
        /// The key.
        key: &'a str,
    },
    /// Deletes all keys under a prefix.
    DeleteTree {
        /// The prefix.
        key: &'a str,
    },
    /// Deletes the key if its index is this one.
    DeleteCas {
        /// The key.
        key: &'a str,
        /// The index it must have.
        index: u64,
    },
}

/// An operation that refused its transaction.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Refusal {
    /// Position of the operation in the transaction, from 0.
    pub op_index: usize,
    /// Consul's reason.
    pub what: String,
}

/// Why a transaction was not done.
#[derive(Debug)]
pub enum TxnError {
    /// Some operations refused; nothing was done.
    Refused(Vec<Refusal>),
    /// The request failed; see [`Error::may_have_been_done`].
    Http(Error),
}

/// What becomes of the keys that a session had locked, when the session ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Behavior {
    /// They are unlocked; their values stay.
    Release,
    /// They are deleted.
    Delete,
}

impl Client {
    /// A client for `endpoint`.
    pub fn new(endpoint: Endpoint) -> Self {
        Self {
            http: http::Client::new(endpoint),
            namespace: None,
            enterprise: Arc::default(),
        }
    }

    /// How many HTTP requests were sent, each try counted.
    pub fn requests(&self) -> u64 {
        self.http.requests()
    }

    /// The endpoint it speaks to.
    pub fn endpoint(&self) -> &Endpoint {
        self.http.endpoint()
    }

    /// The key's value, or `None` where there is no such key.
    ///
    /// # Errors
    /// As of [`http::Client::send`].
    pub async fn get(&self, key: &str) -> Result<Option<Entry>, Error> {
        Ok(self.fetch(self.at(Request::get(&key_path(key)))).await?.1)
    }

    /// As [`Client::get`], but never answered by a server that only believes itself to be the leader.
    ///
    /// A leader that was cut off answers reads for up to its lease (half a second) after others have
    /// elected a new one. With `consistent` it asks the others first, and a new leader answers only
    /// when it has done all that its predecessors had agreed on (`ConsistentRead` in Consul's
    /// `agent/consul/rpc.go`, <https://developer.hashicorp.com/consul/api-docs/features/consistency>).
    ///
    /// # Errors
    /// As of [`http::Client::send`].
    pub async fn get_latest(&self, key: &str) -> Result<Option<Entry>, Error> {
        let request = Request::get(&key_path(key)).query("consistent", "");
        Ok(self.fetch(self.at(request)).await?.1)
    }

    /// As [`Client::get`], but waits until the key's index is past `index`, or for about `wait`.
    /// The answer's first part is the index to wait for next.
    ///
    /// # Errors
    /// As of [`http::Client::send`].
    pub async fn get_changed(
        &self,
        key: &str,
        index: u64,
        wait: Duration,
    ) -> Result<(u64, Option<Entry>), Error> {
        let (next, entry) = self
            .fetch(self.at(Request::get(&key_path(key))).blocking(index, wait))
            .await?;
        // An index that went backwards starts over, as the documentation of blocking queries asks.
        Ok((next.filter(|next| *next >= index).unwrap_or(0), entry))
    }

    /// All keys under `prefix` with their values, in the order of the keys.
    ///
    /// # Errors
    /// As of [`http::Client::send`].
    pub async fn list(&self, prefix: &str) -> Result<Vec<Entry>, Error> {
        self.recurse(Request::get(&key_path(prefix))).await
    }

    /// As [`Client::list`], but with nothing left out: it is never answered by a server that only
    /// believes itself to be the leader (see [`Client::get_latest`]), and a token that may not read
    /// everything under `prefix` is refused.
    ///
    /// Of a list, Consul leaves out without a word what a token may not read (`kvsList` in its
    /// `agent/consul/filter.go`). A token that may read the folder's own key, which nobody writes, has
    /// the rule for all of it.
    ///
    /// # Errors
    /// As of [`http::Client::send`].
    pub async fn list_latest(&self, prefix: &str) -> Result<Vec<Entry>, Error> {
        let request = Request::get(&key_path(prefix)).query("consistent", "");
        let (_, entries) = try_join(self.get_latest(prefix), self.recurse(request)).await?;
        Ok(entries)
    }

    /// As [`Client::list`], in a form that need not keep the values.
    ///
    /// # Errors
    /// As of [`http::Client::send`].
    pub async fn list_as<T: DeserializeOwned>(&self, prefix: &str) -> Result<Vec<T>, Error> {
        self.recurse(Request::get(&key_path(prefix))).await
    }

    /// The keys under `prefix` that the token may read. Costs Consul a fraction of a list.
    ///
    /// # Errors
    /// As of [`http::Client::send`].
    pub async fn keys(&self, prefix: &str) -> Result<Vec<String>, Error> {
        let keys = Request::get(&key_path(prefix)).query("keys", "");
        match self.http.send(self.at(keys)).await {
            Ok(answer) => answer.json(),
            Err(error) if error.is_not_found() => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// A number that is another one after anything was written through this client.
    pub fn changes(&self) -> u64 {
        self.http.changes()
    }

    async fn recurse<T: DeserializeOwned>(&self, request: Request) -> Result<Vec<T>, Error> {
        let request = self.at(request).query("recurse", "");
        match self.http.send(request).await {
            Ok(answer) => answer.json(),
            Err(error) if error.is_not_found() => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    async fn fetch(&self, request: Request) -> Result<(Option<u64>, Option<Entry>), Error> {
        match self.http.send(request).await {
            Ok(answer) => {
                let mut entries: Vec<Entry> = answer.json()?;
                Ok((answer.index(), entries.pop()))
            }
            Err(error) if error.is_not_found() => Ok((None, None)),
            Err(error) => Err(error),
        }
    }

    /// Does all operations, or none. Gives, for each operation that has a result, the key's entry
    /// without its value.
    ///
    /// # Errors
    /// [`TxnError::Refused`] with the operations that refused; [`TxnError::Http`] otherwise, also
    /// where the token may not do an operation.
    pub async fn txn(&self, ops: &[Op<'_>]) -> Result<Vec<Entry>, TxnError> {
        let body = encode_txn(ops);
        let request = self.at(Request::put(&["txn"], Repeat::Unsent)).body(body);
        let answer = match self.http.send(request).await {
            Ok(answer) => answer,
            Err(error) => return Err(refused(error)),
        };
        let done: TxnAnswer = answer.json().map_err(TxnError::Http)?;
        Ok(done
            .results
            .unwrap_or_default()
            .into_iter()
            .filter_map(|result| result.kv)
            .collect())
    }

    /// Creates a session that ends by itself when it was not renewed for `ttl` (10 s to 24 h;
    /// Consul waits up to twice as long). It depends on no health check and leaves no lock delay.
    ///
    /// # Errors
    /// As of [`http::Client::send`]. Needs `session:write` on the agent's node.
    pub async fn create_session(
        &self,
        name: &str,
        ttl: Duration,
        behavior: Behavior,
    ) -> Result<String, Error> {
        let body = serde_json::json!({
            "Name": name,
            "TTL": format!("{}s", ttl.as_secs()),
            "Behavior": behavior,
            "LockDelay": "0s",
            "NodeChecks": [],
            "Checks": [],
        });
        // Done twice it leaves one session too many, which ends by itself.
        let request = self
            .at(Request::put(&["session", "create"], Repeat::Always))
            .body(body.to_string().into());
        let answer = self.http.send(request).await?;
        #[derive(Deserialize)]
        struct Created {
            #[serde(rename = "ID")]
            id: String,
        }
        Ok(answer.json::<Created>()?.id)
    }

    /// Renews the session. `false` where it has ended.
    ///
    /// # Errors
    /// As of [`http::Client::send`].
    pub async fn renew_session(&self, id: &str) -> Result<bool, Error> {
        let request = self.at(Request::put(&["session", "renew", id], Repeat::Always));
        match self.http.send(request).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Ends the session, which gives back its locks.
    ///
    /// # Errors
    /// As of [`http::Client::send`].
    pub async fn destroy_session(&self, id: &str) -> Result<(), Error> {
        let request = self.at(Request::put(&["session", "destroy", id], Repeat::Always));
        self.http.send(request).await.map(|_| ())
    }

    /// The health checks of all instances of a service; none for a service that is not registered.
    ///
    /// Source: <https://developer.hashicorp.com/consul/api-docs/health#list-checks-for-service>.
    ///
    /// # Errors
    /// As of [`http::Client::send`]. Needs `service:read` and `node:read`.
    pub async fn checks(&self, service: &str) -> Result<Vec<Check>, Error> {
        let request = self.at(Request::get(&["health", "checks", service]));
        self.http.send(request).await?.json()
    }

    /// The names of the services that the token may see.
    ///
    /// # Errors
    /// As of [`http::Client::send`].
    pub async fn services(&self) -> Result<Vec<String>, Error> {
        let request = self.at(Request::get(&["catalog", "services"]));
        let all: BTreeMap<String, serde_json::Value> = self.http.send(request).await?.json()?;
        Ok(all.into_keys().collect())
    }

    fn at(&self, request: Request) -> Request {
        let endpoint = self.http.endpoint();
        let namespace = self.namespace.as_ref().or(endpoint.namespace.as_ref());
        self.in_partition(request)
            .query_some("ns", namespace.map(String::as_str))
    }

    fn in_partition(&self, request: Request) -> Request {
        let endpoint = self.http.endpoint();
        request
            .query_some("dc", endpoint.datacenter.as_deref())
            .query_some("partition", endpoint.partition.as_deref())
    }
}

/// The path of a key: its parts stay parts, each is encoded by itself.
fn key_path(key: &str) -> Vec<&str> {
    let mut path = vec!["kv"];
    path.extend(key.split('/'));
    path
}

/// The body of `PUT /v1/txn`. Its size is what Consul's `txn_max_req_len` limits.
pub(crate) fn encode_txn(ops: &[Op<'_>]) -> Vec<u8> {
    let ops: Vec<_> = ops
        .iter()
        .map(|op| serde_json::json!({ "KV": kv(op) }))
        .collect();
    serde_json::Value::from(ops).to_string().into_bytes()
}

fn kv(op: &Op<'_>) -> serde_json::Value {
    use serde_json::json;
    let value = |bytes: &[u8]| STANDARD.encode(bytes);
    match op {
        Op::CheckIndex { key, index } => {
            json!({ "Verb": "check-index", "Key": key, "Index": index })
        }
        Op::CheckNotExists { key } => json!({ "Verb": "check-not-exists", "Key": key }),
        Op::CheckSession { key, session } => {
            json!({ "Verb": "check-session", "Key": key, "Session": session })
        }
        Op::Set { key, value: v } => json!({ "Verb": "set", "Key": key, "Value": value(v) }),
        Op::Cas {
            key,
            value: v,
            index,
        } => json!({ "Verb": "cas", "Key": key, "Value": value(v), "Index": index }),
        Op::Lock {
            key,
            value: v,
            session,
        } => {
            json!({ "Verb": "lock", "Key": key, "Value": value(v), "Session": session })
        }
        Op::Unlock {
            key,
            value: v,
            session,
        } => {
            json!({ "Verb": "unlock", "Key": key, "Value": value(v), "Session": session })
        }
        Op::Delete { key } => json!({ "Verb": "delete", "Key": key }),
        Op::DeleteTree { key } => json!({ "Verb": "delete-tree", "Key": key }),
        Op::DeleteCas { key, index } => json!({ "Verb": "delete-cas", "Key": key, "Index": index }),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TxnAnswer {
    results: Option<Vec<TxnResult>>,
}

#[derive(Deserialize)]
struct TxnResult {
    #[serde(rename = "KV")]
    kv: Option<Entry>,
}

/// A refused transaction is status 409 with the refusals as its body (`Txn` in Consul's
/// `agent/txn_endpoint.go`); a missing permission is one of them.
fn refused(error: Error) -> TxnError {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Refusals {
        errors: Vec<Refusal>,
    }
    let Kind::Rejected {
        status: 409,
        message,
    } = &error.kind
    else {
        return TxnError::Http(error);
    };
    match serde_json::from_str::<Refusals>(message) {
        Ok(Refusals { errors }) => match errors
            .iter()
            .find(|refusal| refusal.what.contains("Permission denied"))
        {
            Some(denied) => {
                let message = denied.what.clone();
                TxnError::Http(Error {
                    kind: Kind::Unauthorized {
                        status: 403,
                        message,
                    },
                    ..error
                })
            }
            None => TxnError::Refused(errors),
        },
        Err(_) => TxnError::Http(error),
    }
}

fn base64_value<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    match Option::<String>::deserialize(deserializer)? {
        None => Ok(Vec::new()),
        Some(text) => STANDARD.decode(text).map_err(serde::de::Error::custom),
    }
}
