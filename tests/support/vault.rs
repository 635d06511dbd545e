//! A real Vault that Nomad's tasks get secrets from by their workload identity.

use super::api::Api;
use super::certificates::Certificate;
use super::process::Server;
use super::servers::Options;
use super::{eventually, ports, tools};
use serde_json::{Value, json};
use std::path::Path;

/// Where the JWT login of Nomad's tasks is mounted.
pub const LOGIN: &str = "jwt-nomad";
/// The role that a task gets where its job names none.
pub const ROLE: &str = "nomad-workloads";
/// A mount of version 1 of the key-value store; `secret` has version 2.
pub const VERSION_1: &str = "plain";
const TOKEN: &str = "33333333-3333-4333-8333-333333333333";

/// A Vault on 127.0.0.1, in memory and unsealed: in dev mode, or set up the same way where it speaks TLS.
pub struct Vault {
    api: Api,
    server: Server,
}

impl std::ops::Deref for Vault {
    type Target = Api;
    fn deref(&self) -> &Api {
        &self.api
    }
}

impl Vault {
    /// Starts the server with its files in `folder` and waits until it answers.
    pub fn start(folder: &Path, options: &Options, tls: Option<(&str, &Certificate)>) -> Self {
        for _ in 0..5 {
            let started = match tls {
                None => Self::try_start(folder),
                Some(tls) => Self::try_start_tls(folder, options, tls),
            };
            if let Some(vault) = started {
                return vault;
            }
        }
        panic!("Vault found no free ports in five tries");
    }

    fn try_start(folder: &Path) -> Option<Self> {
        let port = ports::free();
        let server = Server::start(
            folder,
            "vault",
            Some("nomad"),
            &tools::program("vault"),
            &[
                "server",
                "-dev",
                "-dev-no-store-token",
                &format!("-dev-root-token-id={TOKEN}"),
                &format!("-dev-listen-address=127.0.0.1:{port}"),
            ],
        );
        let api = Api::new(
            format!("http://127.0.0.1:{port}"),
            "X-Vault-Token",
            Some(TOKEN.to_owned()),
            None,
            None,
        );
        let ready = eventually("Vault is up, or has ended", || {
            if server.ended() {
                return Some(false);
            }
            // Dev mode mounts `secret` last.
            let answer = api.ask(reqwest::Method::GET, "/v1/secret/config", None)?;
            (answer.status == 200).then_some(true)
        });
        if ready {
            return Some(Self { api, server });
        }
        assert!(
            server.log().contains("address already in use"),
            "Vault ended at its start:\n{}",
            server.log_end()
        );
        None
    }

    /// Dev mode knows TLS with certificates of its own alone, so this is the set-up of a real one.
    fn try_start_tls(
        folder: &Path,
        options: &Options,
        (authority, certificate): (&str, &Certificate),
    ) -> Option<Self> {
        let port = ports::free();
        let address = format!("https://127.0.0.1:{port}");
        let config = json!({
            "storage": { "inmem": {} },
            "disable_mlock": true,
            "api_addr": address,
            "listener": [{ "tcp": {
                "address": format!("127.0.0.1:{port}"),
                "tls_cert_file": certificate.certificate,
                "tls_key_file": certificate.key,
                "tls_client_ca_file": folder.join("tests-ca.pem"),
                "tls_require_and_verify_client_cert": options.mutual_tls,
            }}],
        });
        let file = folder.join("vault.json");
        std::fs::write(&file, config.to_string()).unwrap();
        let server = Server::start(
            folder,
            "vault",
            Some("nomad"),
            &tools::program("vault"),
            &["server", &format!("-config={}", file.display())],
        );
        let identity = certificate.pem();
        let api = |token: Option<&str>| {
            Api::new(
                address.clone(),
                "X-Vault-Token",
                token.map(str::to_owned),
                Some(authority),
                Some(&identity),
            )
        };
        let everybody = api(None);
        let ready = eventually("Vault is up, or has ended", || {
            if server.ended() {
                return Some(false);
            }
            everybody.ask(reqwest::Method::GET, "/v1/sys/seal-status", None)?;
            Some(true)
        });
        if !ready {
            assert!(
                server.log().contains("address already in use"),
                "Vault ended at its start:\n{}",
                server.log_end()
            );
            return None;
        }
        let shares = json!({ "secret_shares": 1, "secret_threshold": 1 });
        let keys = everybody.put("/v1/sys/init", &shares).json();
        everybody.put("/v1/sys/unseal", &json!({ "key": keys["keys"][0] }));
        let first = api(keys["root_token"].as_str());
        let kv = json!({ "type": "kv", "options": { "version": "2" } });
        eventually("Vault is unsealed and has its secrets", || {
            let made = first.ask(
                reqwest::Method::POST,
                "/v1/sys/mounts/secret",
                Some(kv.to_string()),
            )?;
            (made.status == 204).then_some(())
        });
        first.post(
            "/v1/auth/token/create",
            &json!({ "id": TOKEN, "policies": ["root"] }),
        );
        let api = api(Some(TOKEN));
        eventually("Vault's secrets are ready", || {
            let answer = api.ask(reqwest::Method::GET, "/v1/secret/config", None)?;
            (answer.status == 200).then_some(())
        });
        Some(Self { api, server })
    }

    /// The server's process.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Lets the tasks of the Nomad whose public keys are at `jwks` log in, with [`ROLE`] as their
    /// default: it reads all of `secret` and of [`VERSION_1`]. `authority` (PEM) signed the certificate
    /// there.
    pub fn trust(&self, jwks: &str, authority: Option<&str>) {
        self.post(
            &format!("/v1/sys/mounts/{VERSION_1}"),
            &json!({ "type": "kv", "options": { "version": "1" } }),
        );
        self.post(
            &format!("/v1/sys/auth/{LOGIN}"),
            &json!({ "type": "jwt", "description": "Nomad's tasks" }),
        );
        self.post(
            &format!("/v1/auth/{LOGIN}/config"),
            &json!({
                "jwks_url": jwks,
                "jwks_ca_pem": authority.unwrap_or_default(),
                "jwt_supported_algs": ["RS256", "EdDSA"],
                "default_role": ROLE,
            }),
        );
        self.policy("all-secrets", &["secret/data/*", &format!("{VERSION_1}/*")]);
        self.role(ROLE, &["all-secrets"], &json!({}));
    }

    /// Makes a policy, or replaces its rules.
    pub fn rules(&self, name: &str, rules: &str) {
        self.put(
            &format!("/v1/sys/policies/acl/{name}"),
            &json!({ "policy": rules }),
        );
    }

    /// Makes a token with these policies, and gives it.
    pub fn token_of(&self, policies: &[&str]) -> String {
        let token = json!({ "policies": policies, "no_default_policy": true });
        let token = self.post("/v1/auth/token/create", &token).json();
        token["auth"]["client_token"].as_str().unwrap().to_owned()
    }

    /// Makes a policy that reads these API paths, which may end in `*`.
    pub fn policy(&self, name: &str, paths: &[&str]) {
        let rules: String = paths
            .iter()
            .map(|path| format!("path \"{path}\" {{ capabilities = [\"read\"] }}\n"))
            .collect();
        self.put(
            &format!("/v1/sys/policies/acl/{name}"),
            &json!({ "policy": rules }),
        );
    }

    /// Makes a role for tasks whose identity has these claims, such as `{"nomad_namespace": "acme"}`.
    pub fn role(&self, name: &str, policies: &[&str], claims: &Value) {
        self.post(
            &format!("/v1/auth/{LOGIN}/role/{name}"),
            &json!({
                "role_type": "jwt",
                "bound_audiences": ["vault.io"],
                "bound_claims": claims,
                "user_claim": "/nomad_job_id",
                "user_claim_json_pointer": true,
                "claim_mappings": {
                    "nomad_namespace": "nomad_namespace",
                    "nomad_job_id": "nomad_job_id",
                    "nomad_task": "nomad_task",
                },
                "token_type": "service",
                "token_policies": policies,
                "token_period": "30m",
                "token_explicit_max_ttl": 0,
            }),
        );
    }

    /// Writes a secret below `secret`, as a new version of it. A running template sees that after 4¼
    /// to 4¾ minutes: it takes a secret without lease for one of five minutes, and is a bit early.
    pub fn write(&self, path: &str, data: &Value) {
        self.post(&format!("/v1/secret/data/{path}"), &json!({ "data": data }));
    }

    /// Writes a secret below [`VERSION_1`], which a template reads anew after six seconds. Not
    /// sooner: every read counts as a change, and Nomad renders once there was none for five seconds.
    pub fn write_short_lived(&self, path: &str, data: &Value) {
        let mut data = data.clone();
        data["ttl"] = json!("7s");
        self.post(&format!("/v1/{VERSION_1}/{path}"), &data);
    }
}
