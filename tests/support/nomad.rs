//! A real Nomad agent, and what the tests ask of it.

use super::api::{Answer, Api};
use super::certificates::Certificate;
use super::consul::Consul;
use super::network::Network;
use super::process::Server;
use super::servers::Options;
use super::vault::{self, Vault};
use super::{docker, eventually, ports, tools};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;

/// A Nomad agent in dev mode (one server and one client, in memory) on 127.0.0.1.
pub struct Nomad {
    api: Api,
    /// What its containers are connected to, with containers on.
    pub network: Option<Network>,
    server: Server,
}

impl std::ops::Deref for Nomad {
    type Target = Api;
    fn deref(&self) -> &Api {
        &self.api
    }
}

impl Nomad {
    /// Starts the agent with its files in `folder` and waits until jobs can run on it.
    pub fn start(
        folder: &Path,
        options: &Options,
        tls: Option<(&str, &Certificate)>,
        token: Option<&str>,
        consul: &Consul,
        vault: Option<&Vault>,
    ) -> Self {
        for _ in 0..5 {
            if let Some(nomad) = Self::try_start(folder, options, tls, token, consul, vault) {
                return nomad;
            }
        }
        panic!("Nomad found no free ports in five tries");
    }

    fn try_start(
        folder: &Path,
        options: &Options,
        tls: Option<(&str, &Certificate)>,
        token: Option<&str>,
        consul: &Consul,
        vault: Option<&Vault>,
    ) -> Option<Self> {
        let port = ports::free();
        let file = folder.join("nomad.json");
        let mut config = config(folder, options, tls, token, consul, port);
        let network = options.containers.then(|| Network::make(folder, "nomad"));
        if let Some(network) = &network {
            with_containers(&mut config, network, consul);
        }
        if options.promises_vault {
            config["vault"] = json!({
                "enabled": true,
                "address": "http://127.0.0.1:1",
                "default_identity": { "aud": ["vault.io"], "ttl": "1h" },
            });
        }
        if let Some(vault) = vault {
            config["vault"] = json!({
                "enabled": true,
                "address": vault.address,
                "jwt_auth_backend_path": vault::LOGIN,
                "create_from_role": vault::ROLE,
                "default_identity": { "aud": ["vault.io"], "ttl": "1h" },
            });
            if let Some((_, certificate)) = tls {
                config["vault"]["ca_file"] = json!(folder.join("tests-ca.pem"));
                config["vault"]["cert_file"] = json!(certificate.certificate);
                config["vault"]["key_file"] = json!(certificate.key);
            }
        }
        std::fs::write(&file, config.to_string()).unwrap();
        let nomad = tools::program("nomad");
        let server = Server::start(
            folder,
            "nomad",
            None,
            Path::new("env"),
            &[
                &path_with_consul(),
                nomad.to_str().unwrap(),
                "agent",
                "-dev",
                &format!("-config={}", file.display()),
            ],
        );
        let scheme = if tls.is_some() { "https" } else { "http" };
        let identity = tls.map(|(_, certificate)| certificate.pem());
        let api = Api::new(
            format!("{scheme}://127.0.0.1:{port}"),
            "X-Nomad-Token",
            token.map(str::to_owned),
            tls.map(|(authority, _)| authority),
            identity.as_deref(),
        );
        let ready = eventually("Nomad is up, or has ended", || {
            if server.ended() {
                return Some(false);
            }
            leads(&api, token).then_some(true)
        });
        if ready {
            let nomad = Self {
                api,
                network,
                server,
            };
            nomad.wait_for_node(options);
            return Some(nomad);
        }
        assert!(
            server.log().contains("address already in use"),
            "Nomad ended at its start:\n{}",
            server.log_end()
        );
        None
    }

    /// Waits until the one node is ready, can run raw_exec and exec tasks, and knows its Consul.
    fn wait_for_node(&self, options: &Options) {
        eventually("the Nomad node is ready", || {
            let nodes = self.get("/v1/nodes");
            let node = nodes.get(0)?;
            let drivers = &node["Drivers"];
            if node["Status"] != "ready" || drivers["raw_exec"]["Healthy"] != true {
                return None;
            }
            let node = self.get(&format!("/v1/node/{}", node["ID"].as_str()?));
            let known = |name: &str| node["Attributes"][name].as_str();
            known("consul.version")?;
            if options.containers {
                known("driver.docker")?;
                known("consul.grpc")?;
                known("plugins.cni.version.bridge")?;
            }
            if options.vault {
                known("vault.version")?;
            }
            Some(())
        });
    }

    /// The agent's process.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Whether a task driver (`exec`, `docker`) works on the node.
    pub fn has_driver(&self, name: &str) -> bool {
        self.get("/v1/nodes")[0]["Drivers"][name]["Healthy"] == true
    }

    /// A job, or `None` where there is none.
    pub fn job(&self, namespace: &str, id: &str) -> Option<Value> {
        self.find(&format!("/v1/job/{id}?namespace={namespace}"))
    }

    /// The IDs of all jobs in all namespaces whose ID starts so.
    pub fn job_ids(&self, prefix: &str) -> Vec<String> {
        let jobs = self.get(&format!("/v1/jobs?namespace=*&prefix={prefix}"));
        jobs.as_array()
            .unwrap()
            .iter()
            .map(|job| job["ID"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Registers a job as it is, and waits until its evaluation is through.
    pub fn register(&self, job: &Value) -> Answer {
        let answer = self.put("/v1/jobs", &json!({ "Job": job }));
        self.wait_for_evaluation(&answer.json());
        answer
    }

    /// Changes a job behind the provider's back.
    pub fn edit(&self, namespace: &str, id: &str, change: impl FnOnce(&mut Value)) {
        let mut job = self.job(namespace, id).expect("the job to edit is there");
        change(&mut job);
        self.register(&job);
    }

    /// Stops a job, or purges it.
    pub fn stop(&self, namespace: &str, id: &str, purge: bool) {
        let answer = self.delete(&format!("/v1/job/{id}?namespace={namespace}&purge={purge}"));
        self.wait_for_evaluation(&answer.json());
    }

    /// Waits until the evaluation in an answer, if there is one, is through.
    pub fn wait_for_evaluation(&self, answer: &Value) {
        let Some(id) = answer["EvalID"].as_str().filter(|id| !id.is_empty()) else {
            return;
        };
        eventually("the evaluation is through", || {
            let evaluation = self.get(&format!("/v1/evaluation/{id}"));
            let status = evaluation["Status"].as_str()?;
            (status != "pending").then_some(())
        });
    }

    /// The allocations of a job, newest first.
    pub fn allocations(&self, namespace: &str, id: &str) -> Vec<Value> {
        let mut all = self
            .get(&format!("/v1/job/{id}/allocations?namespace={namespace}"))
            .as_array()
            .unwrap()
            .clone();
        all.sort_by_key(|allocation| std::cmp::Reverse(allocation["CreateIndex"].as_u64()));
        all
    }

    /// The port by that label of a running allocation of a job.
    pub fn port(&self, namespace: &str, id: &str, label: &str) -> u16 {
        self.address(namespace, id, label).port()
    }

    /// Where a running allocation of a job is reached by the label of a port.
    pub fn address(&self, namespace: &str, id: &str, label: &str) -> SocketAddr {
        eventually("the job has a running allocation with that port", || {
            let running = self
                .allocations(namespace, id)
                .into_iter()
                .find(|allocation| allocation["ClientStatus"] == "running")?;
            let path = format!("/v1/allocation/{}", running["ID"].as_str()?);
            let allocation = self.get(&path);
            let ports = allocation["AllocatedResources"]["Shared"]["Ports"].as_array()?;
            let port = ports.iter().find(|port| port["Label"] == label)?;
            let number = u16::try_from(port["Value"].as_u64()?).ok()?;
            Some(SocketAddr::new(
                port["HostIP"].as_str()?.parse().ok()?,
                number,
            ))
        })
    }

    /// What a job's running allocation answers to `GET` at the port by that label; `None` where no
    /// answer comes.
    pub fn ask_job(&self, namespace: &str, id: &str, label: &str, path: &str) -> Option<Answer> {
        let address = format!("http://{}", self.address(namespace, id, label));
        Api::new(address, "X-None", None, None, None).ask(reqwest::Method::GET, path, None)
    }

    /// What the allocations of a job say, for a test that fails: states, and the ends of what their tasks
    /// wrote to standard error.
    pub fn story(&self, namespace: &str, id: &str) -> String {
        let mut story = String::new();
        for allocation in self.allocations(namespace, id) {
            let alloc = allocation["ID"].as_str().unwrap_or_default();
            story += &format!("{id} {alloc} {}\n", allocation["ClientStatus"]);
            let tasks = allocation["TaskStates"].as_object();
            for (task, state) in tasks.into_iter().flatten() {
                let path = format!(
                    "/v1/client/fs/logs/{alloc}?task={task}&type=stderr&plain=true&origin=end&offset=4000"
                );
                let log = self.ask(reqwest::Method::GET, &path, None);
                let log = log.map_or_else(String::new, |answer| answer.body);
                story += &format!(
                    "{task}: {}, restarts {}\n{log}\n",
                    state["State"], state["Restarts"]
                );
            }
        }
        story
    }

    /// Makes an ACL policy, or replaces its rules.
    pub fn policy(&self, name: &str, rules: &str) {
        self.put(
            &format!("/v1/acl/policy/{name}"),
            &json!({ "Name": name, "Rules": rules }),
        );
    }

    /// Makes a token with these policies, and gives its secret.
    pub fn token_of(&self, policies: &[&str]) -> String {
        let token = json!({ "Type": "client", "Policies": policies });
        let token = self.put("/v1/acl/token", &token).json();
        token["SecretID"].as_str().unwrap().to_owned()
    }

    /// Makes a namespace.
    pub fn namespace(&self, name: &str) {
        self.put(&format!("/v1/namespace/{name}"), &json!({ "Name": name }));
    }
}

fn leads(api: &Api, token: Option<&str>) -> bool {
    let get = |path: &str| api.ask(reqwest::Method::GET, path, None);
    let led = get("/v1/status/leader").is_some_and(|answer| answer.body.len() > 2);
    match (led, token) {
        (false, _) => false,
        (true, None) => true,
        // The first to ask with this secret gets it as the management token.
        (true, Some(token)) => {
            let secret = json!({ "BootstrapSecret": token }).to_string();
            let _ = api.ask(reqwest::Method::PUT, "/v1/acl/bootstrap", Some(secret));
            get("/v1/acl/token/self").is_some_and(|answer| answer.status == 200)
        }
    }
}

fn config(
    folder: &Path,
    options: &Options,
    tls: Option<(&str, &Certificate)>,
    token: Option<&str>,
    consul: &Consul,
    port: u16,
) -> Value {
    let data = folder.join("nomad");
    let volume = folder.join("nomad/volumes/data");
    std::fs::create_dir_all(&volume).unwrap();
    let (first, last) = ports::range_for_jobs();
    let mut config = json!({
        "name": format!("nomad-{port}"),
        "bind_addr": "127.0.0.1",
        "data_dir": data,
        "log_level": "info",
        "disable_update_check": true,
        "ports": { "http": port, "rpc": ports::free(), "serf": ports::free() },
        // Tests run beside each other from one address, each with its own connections.
        "limits": { "http_max_conns_per_client": 0 },
        "consul": {
            "address": format!("127.0.0.1:{}", consul.port),
            "token": if options.acl { consul.token_for_nomad() } else { String::new() },
        },
        "client": {
            // Elsewhere by default; here the keeper unmounts what an agent that was killed left.
            "alloc_mounts_dir": data.join("alloc_mounts"),
            "network_interface": loopback(),
            "min_dynamic_port": first,
            "max_dynamic_port": last,
            // The tests' tasks idle; what they ask for in sum is no matter.
            "cpu_total_compute": 100_000,
            "memory_total_mb": 65_536,
            "options": {
                "fingerprint.denylist": "env_aws,env_gce,env_azure,env_digitalocean",
                "driver.denylist": "java,qemu",
            },
            "host_volume": { "data": { "path": volume } },
            "chroot_env": { "/bin": "/bin", "/lib": "/lib", "/lib64": "/lib64" },
        },
    });
    if let Some(region) = options.region {
        config["region"] = json!(region);
    }
    if let Some(datacenter) = options.datacenter {
        config["datacenter"] = json!(datacenter);
    }
    if token.is_some() {
        config["acl"] = json!({ "enabled": true });
        let identity = json!({ "aud": ["consul.io"], "ttl": "1h" });
        config["consul"]["service_identity"] = identity.clone();
        config["consul"]["task_identity"] = identity;
    }
    if let Some((_, certificate)) = tls {
        let authority = folder.join("tests-ca.pem");
        config["tls"] = json!({
            "http": true,
            "rpc": true,
            "ca_file": authority,
            "cert_file": certificate.certificate,
            "key_file": certificate.key,
            "verify_https_client": options.mutual_tls,
        });
        config["consul"]["ssl"] = json!(true);
        config["consul"]["ca_file"] = json!(authority);
        config["consul"]["cert_file"] = json!(certificate.certificate);
        config["consul"]["key_file"] = json!(certificate.key);
    }
    config
}

/// Lets jobs use bridge networks and the mesh.
fn with_containers(config: &mut Value, network: &Network, consul: &Consul) {
    let client = &mut config["client"];
    client["network_interface"] = json!(network.interface());
    client["bridge_network_name"] = json!(network.bridge());
    client["bridge_network_subnet"] = json!(network.subnet());
    client["cni_path"] = json!(docker::cni_plugins());
    client["meta"] = json!({ "connect.sidecar_image": docker::ENVOY });
    if let Some(port) = consul.grpc {
        config["consul"]["grpc_address"] = json!(format!("127.0.0.1:{port}"));
    }
    config["plugin"] = json!([{ "docker": [{ "config": [{
        "infra_image": docker::PAUSE,
        // Images are not to be had again once they are gone.
        "gc": [{ "image": false }],
    }]}]}]);
}

/// `PATH=…` with the consul that the tests run: Nomad has it write the set-up of the mesh's sidecars.
fn path_with_consul() -> String {
    let consul = tools::program("consul");
    let folder = consul.parent().unwrap().display().to_string();
    let path = std::env::var("PATH").unwrap_or_default();
    format!("PATH={folder}:{path}")
}

/// The name of the loopback interface.
fn loopback() -> &'static str {
    if cfg!(target_os = "macos") {
        "lo0"
    } else {
        "lo"
    }
}
