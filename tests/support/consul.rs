//! A real Consul agent, and what the tests ask of it.

use super::api::Api;
use super::certificates::Certificate;
use super::process::{Server, clean_environment};
use super::servers::Options;
use super::{eventually, ports, tools};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

/// A Consul agent in dev mode (one server, in memory) on 127.0.0.1.
pub struct Consul {
    api: Api,
    /// Port of the HTTP or HTTPS API.
    pub port: u16,
    /// Port of the gRPC API that the mesh's sidecars are set up through, with containers on.
    pub grpc: Option<u16>,
    server: Server,
}

impl std::ops::Deref for Consul {
    type Target = Api;
    fn deref(&self) -> &Api {
        &self.api
    }
}

impl Consul {
    /// Starts the agent with its files in `folder` and waits until it leads and answers.
    pub fn start(
        folder: &Path,
        options: &Options,
        tls: Option<(&str, &Certificate)>,
        token: Option<&str>,
    ) -> Self {
        for _ in 0..5 {
            if let Some(consul) = Self::try_start(folder, options, tls, token) {
                return consul;
            }
        }
        panic!("Consul found no free ports in five tries");
    }

    fn try_start(
        folder: &Path,
        options: &Options,
        tls: Option<(&str, &Certificate)>,
        token: Option<&str>,
    ) -> Option<Self> {
        let port = ports::free();
        let mut config = json!({
            "bind_addr": "127.0.0.1",
            "client_addr": "127.0.0.1",
            "node_name": format!("consul-{port}"),
            "log_level": "info",
            "disable_update_check": true,
            // Many processes of one address speak to it at once.
            "limits": { "http_max_conns_per_client": 0 },
            "connect": { "enabled": false },
            "ports": {
                "http": port, "https": -1, "grpc": -1, "grpc_tls": -1, "dns": -1, "serf_wan": -1,
                "server": ports::free(), "serf_lan": ports::free(),
            },
        });
        let grpc = options.containers.then(ports::free);
        if let Some(grpc) = grpc {
            config["ports"]["grpc"] = json!(grpc);
            config["connect"]["enabled"] = json!(true);
            config["config_entries"] = json!({ "bootstrap": [{
                "Kind": "service-intentions",
                "Name": "*",
                "Sources": [{ "Name": "*", "Action": "deny" }],
            }]});
        }
        if let Some((_, certificate)) = tls {
            config["ports"]["http"] = json!(-1);
            config["ports"]["https"] = json!(port);
            config["tls"] = json!({ "defaults": {
                "ca_file": folder.join("tests-ca.pem"),
                "cert_file": certificate.certificate,
                "key_file": certificate.key,
                "verify_incoming": options.mutual_tls,
                "verify_outgoing": true,
            }});
        }
        if let Some(token) = token {
            config["acl"] = json!({
                "enabled": true,
                "default_policy": "deny",
                "tokens": { "initial_management": token, "agent": token },
            });
        }
        let file = folder.join("consul.json");
        std::fs::write(&file, config.to_string()).unwrap();
        let server = Server::start(
            folder,
            "consul",
            Some("nomad"),
            &tools::program("consul"),
            &["agent", "-dev", &format!("-config-file={}", file.display())],
        );
        let scheme = if tls.is_some() { "https" } else { "http" };
        let identity = tls.map(|(_, certificate)| certificate.pem());
        let api = Api::new(
            format!("{scheme}://127.0.0.1:{port}"),
            "X-Consul-Token",
            token.map(str::to_owned),
            tls.map(|(authority, _)| authority),
            identity.as_deref(),
        );
        let ready = eventually("Consul is up, or has ended", || {
            if server.ended() {
                return Some(false);
            }
            // A write is answered only by an agent that leads and has its ACLs in place.
            let answer = api.ask(reqwest::Method::PUT, "/v1/kv/ready", Some("yes".into()))?;
            (answer.status == 200).then_some(true)
        });
        if ready {
            api.delete("/v1/kv/ready");
            return Some(Self {
                api,
                port,
                grpc,
                server,
            });
        }
        assert!(
            server.log().contains("address already in use"),
            "Consul ended at its start:\n{}",
            server.log_end()
        );
        None
    }

    /// A token for the Nomad agent itself: to find Consul, and to see and register services. What it
    /// registers for jobs, it registers with their own identities.
    pub fn token_for_nomad(&self) -> String {
        self.policy(
            "nomad-agent",
            r#"agent_prefix "" { policy = "read" }
               node_prefix "" { policy = "read" }
               service_prefix "" { policy = "write" }"#,
        );
        self.token_of(&["nomad-agent"])
    }

    /// Makes a policy, or replaces its rules.
    pub fn policy(&self, name: &str, rules: &str) {
        let policy = json!({ "Name": name, "Rules": rules });
        let path = match self.find(&format!("/v1/acl/policy/name/{name}")) {
            Some(found) => format!("/v1/acl/policy/{}", found["ID"].as_str().unwrap()),
            None => "/v1/acl/policy".to_owned(),
        };
        self.put(&path, &policy);
    }

    /// Makes a token with these policies, and gives its secret.
    pub fn token_of(&self, policies: &[&str]) -> String {
        let links: Vec<_> = policies
            .iter()
            .map(|name| json!({ "Name": name }))
            .collect();
        let token = self
            .put("/v1/acl/token", &json!({ "Policies": links }))
            .json();
        token["SecretID"].as_str().unwrap().to_owned()
    }

    /// Lets Nomad's services and tasks log in with their workload identities, as `nomad setup consul`
    /// does it: a task has what the role `nomad-<namespace>-tasks` allows. `jwks` is where Nomad's
    /// public keys are.
    pub fn trust(
        &self,
        folder: &Path,
        tls: Option<(&str, &Certificate)>,
        jwks: &str,
        signer: Option<&Path>,
    ) {
        let mut command = Command::new(tools::program("nomad"));
        clean_environment(&mut command);
        command
            .args(["setup", "consul", "-y", "-jwks-url", jwks])
            .env("CONSUL_HTTP_ADDR", &self.address)
            .env(
                "CONSUL_HTTP_TOKEN",
                self.token.as_deref().unwrap_or_default(),
            );
        if let Some((_, certificate)) = tls {
            command
                .env("CONSUL_CACERT", folder.join("tests-ca.pem"))
                .env("CONSUL_CLIENT_CERT", &certificate.certificate)
                .env("CONSUL_CLIENT_KEY", &certificate.key);
        }
        if let Some(signer) = signer {
            command.arg("-jwks-ca-file").arg(signer);
        }
        let output = command.output().expect("nomad can be run");
        assert!(output.status.success(), "{output:?}");
    }

    /// The agent's process.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// The value of a key and its `ModifyIndex`.
    pub fn key(&self, key: &str) -> Option<(String, u64)> {
        use base64::Engine;
        let entry = self.find(&format!("/v1/kv/{key}"))?[0].clone();
        let value = entry["Value"].as_str().unwrap_or_default();
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(value)
            .unwrap();
        Some((
            String::from_utf8(bytes).unwrap(),
            entry["ModifyIndex"].as_u64().unwrap(),
        ))
    }

    /// The record of an application as JSON, for a provider with the key prefix `prefix`.
    pub fn record(&self, prefix: &str, tenant: &str, name: &str) -> Option<Value> {
        let (value, _) = self.key(&format!("{prefix}/applications/{tenant}/{name}"))?;
        Some(serde_json::from_str(&value).expect("a record is JSON"))
    }

    /// Writes a key without any check, as somebody beside the provider would.
    pub fn write_key(&self, key: &str, value: &str) {
        self.must(
            reqwest::Method::PUT,
            &format!("/v1/kv/{key}"),
            Some(value.to_owned()),
        );
    }

    /// The keys below a prefix.
    pub fn keys(&self, prefix: &str) -> Vec<String> {
        self.find(&format!("/v1/kv/{prefix}?keys"))
            .map(|keys| serde_json::from_value(keys).unwrap())
            .unwrap_or_default()
    }

    /// Lets the service `source` call `destination` in the mesh.
    pub fn allow(&self, source: &str, destination: &str) {
        self.put(
            &intention(source, destination),
            &json!({ "Action": "allow" }),
        );
    }

    /// Takes back what [`allow`](Self::allow) did.
    pub fn disallow(&self, source: &str, destination: &str) {
        self.delete(&intention(source, destination));
    }

    /// The instances of a service in the catalog.
    pub fn service(&self, name: &str) -> Vec<Value> {
        let instances = self.get(&format!("/v1/catalog/service/{name}"));
        instances.as_array().cloned().unwrap_or_default()
    }
}

fn intention(source: &str, destination: &str) -> String {
    format!("/v1/connect/intentions/exact?source={source}&destination={destination}")
}
