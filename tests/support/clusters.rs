//! Three Consul servers and three Nomad servers on loopback, and a Nomad client that runs jobs: any server can be
//! ended, and the others elect a new leader.

use super::api::Api;
use super::process::Server;
use super::{Proxy, eventually, ports, tools};
use serde_json::json;
use std::path::{Path, PathBuf};

/// How many servers each cluster has: one can be lost.
const SERVERS: usize = 3;

/// One server of a cluster.
pub struct Member {
    /// Its API.
    pub api: Api,
    /// `127.0.0.1:PORT`, as the cluster says who leads it.
    rpc: String,
    server: Server,
}

/// The servers of one kind.
pub struct Cluster {
    /// Its members, the ended ones included.
    pub members: Vec<Member>,
}

/// Both clusters.
pub struct Clusters {
    // Dropped in this order.
    client: Server,
    /// The Nomad servers.
    pub nomad: Cluster,
    /// The Consul servers.
    pub consul: Cluster,
    folder: PathBuf,
}

impl Cluster {
    /// Which member leads; waits for an election.
    pub fn leader(&self) -> usize {
        eventually("a leader is elected", || {
            let alive = self.members.iter().filter(|member| !member.server.ended());
            let led = alive.filter_map(|member| {
                let answer = member
                    .api
                    .ask(reqwest::Method::GET, "/v1/status/leader", None)?;
                let leader = answer.body.trim().trim_matches('"').to_owned();
                self.members
                    .iter()
                    .position(|it| it.rpc == leader && !it.server.ended())
            });
            let led: Vec<_> = led.collect();
            // All that are left have to agree.
            let agreed = led.windows(2).all(|two| two[0] == two[1]) && led.len() >= 2;
            agreed.then(|| led[0])
        })
    }

    /// Ends the leader, without a chance to say so. Gives which it was.
    pub fn end_leader(&self) -> usize {
        let leader = self.leader();
        let pid = i32::try_from(self.members[leader].server.pid()).unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::SIGKILL).unwrap();
        leader
    }

    /// A proxy before all members, as a load balancer that finds out about the ended ones. The one at `first` gets
    /// the requests while it lives.
    pub fn balanced(&self, first: usize) -> Proxy {
        let mut addresses: Vec<_> = self
            .members
            .iter()
            .map(|it| it.api.address.as_str())
            .collect();
        addresses.rotate_left(first);
        Proxy::before_all(&addresses)
    }

    /// A member that lives.
    pub fn any(&self) -> &Api {
        &self.members[self.leader()].api
    }
}

impl Clusters {
    /// Starts them and waits until jobs can be run.
    pub fn start() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("oam-")
            .tempdir()
            .unwrap()
            .keep();
        let consul = consul(&folder);
        let (nomad, rpc) = nomad(&folder);
        let client = client(&folder, &rpc);
        let clusters = Self {
            client,
            nomad,
            consul,
            folder,
        };
        clusters.consul.leader();
        clusters.nomad.leader();
        eventually("the Nomad node is ready", || {
            let nodes = clusters
                .nomad
                .any()
                .ask(reqwest::Method::GET, "/v1/nodes", None)?;
            let nodes: serde_json::Value = serde_json::from_str(&nodes.body).ok()?;
            let node = nodes.get(0)?;
            let runs = node["Drivers"]["raw_exec"]["Healthy"] == true;
            (node["Status"] == "ready" && runs).then_some(())
        });
        clusters
    }
}

impl Drop for Clusters {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = std::fs::write(self.folder.join("failed"), "");
            eprintln!("the servers' logs are in {}", self.folder.display());
        }
    }
}

fn api(port: u16, header: &'static str) -> Api {
    Api::new(format!("http://127.0.0.1:{port}"), header, None, None, None)
}

fn start(folder: &Path, name: &'static str, program: &str, arguments: &[&str]) -> Server {
    Server::start(folder, name, None, &tools::program(program), arguments)
}

fn consul(folder: &Path) -> Cluster {
    const NAMES: [&str; SERVERS] = ["consul-1", "consul-2", "consul-3"];
    let serf: Vec<_> = NAMES.iter().map(|_| ports::free()).collect();
    let join: Vec<_> = serf
        .iter()
        .map(|port| format!("127.0.0.1:{port}"))
        .collect();
    let members = NAMES.iter().zip(&serf).map(|(&name, serf)| {
        let (http, rpc) = (ports::free(), ports::free());
        let config = json!({
            "server": true,
            "bootstrap_expect": SERVERS,
            "retry_join": join,
            "retry_interval": "1s",
            "bind_addr": "127.0.0.1",
            "client_addr": "127.0.0.1",
            "node_name": name,
            "data_dir": folder.join(name),
            "log_level": "info",
            "disable_update_check": true,
            "performance": { "raft_multiplier": 1 },
            "connect": { "enabled": false },
            "ports": {
                "http": http, "https": -1, "grpc": -1, "grpc_tls": -1, "dns": -1, "serf_wan": -1,
                "server": rpc, "serf_lan": serf,
            },
        });
        let file = folder.join(format!("{name}.json"));
        std::fs::write(&file, config.to_string()).unwrap();
        let file = format!("-config-file={}", file.display());
        Member {
            api: api(http, "X-Consul-Token"),
            rpc: format!("127.0.0.1:{rpc}"),
            server: start(folder, name, "consul", &["agent", &file]),
        }
    });
    Cluster {
        members: members.collect(),
    }
}

/// What all Nomad agents have in common.
fn agent(folder: &Path, name: &str, http: u16, rpc: u16, serf: u16) -> serde_json::Value {
    json!({
        "name": name,
        "bind_addr": "127.0.0.1",
        "data_dir": folder.join(name),
        "log_level": "info",
        "disable_update_check": true,
        "ports": { "http": http, "rpc": rpc, "serf": serf },
        "advertise": { "http": "127.0.0.1", "rpc": "127.0.0.1", "serf": "127.0.0.1" },
        "limits": { "http_max_conns_per_client": 0 },
        "consul": {
            "address": "127.0.0.1:1",
            "server_auto_join": false, "client_auto_join": false, "auto_advertise": false,
        },
    })
}

/// The Nomad servers, and where clients find them.
fn nomad(folder: &Path) -> (Cluster, Vec<String>) {
    const NAMES: [&str; SERVERS] = ["nomad-1", "nomad-2", "nomad-3"];
    let serf: Vec<_> = NAMES.iter().map(|_| ports::free()).collect();
    let join: Vec<_> = serf
        .iter()
        .map(|port| format!("127.0.0.1:{port}"))
        .collect();
    let members = NAMES.iter().zip(&serf).map(|(&name, serf)| {
        let (http, rpc) = (ports::free(), ports::free());
        let mut config = agent(folder, name, http, rpc, *serf);
        config["server"] = json!({
            "enabled": true,
            "bootstrap_expect": SERVERS,
            "raft_multiplier": 1,
            "server_join": { "retry_join": join, "retry_interval": "1s" },
        });
        let file = folder.join(format!("{name}.json"));
        std::fs::write(&file, config.to_string()).unwrap();
        let file = format!("-config={}", file.display());
        Member {
            api: api(http, "X-Nomad-Token"),
            rpc: format!("127.0.0.1:{rpc}"),
            server: start(folder, name, "nomad", &["agent", &file]),
        }
    });
    let members: Vec<_> = members.collect();
    let rpc = members.iter().map(|member| member.rpc.clone()).collect();
    (Cluster { members }, rpc)
}

fn client(folder: &Path, servers: &[String]) -> Server {
    let name = "nomad-client";
    let (first, last) = ports::range_for_jobs();
    let mut config = agent(folder, name, ports::free(), ports::free(), ports::free());
    config["client"] = json!({
        "enabled": true,
        "servers": servers,
        "alloc_mounts_dir": folder.join(name).join("alloc_mounts"),
        "network_interface": if cfg!(target_os = "macos") { "lo0" } else { "lo" },
        "min_dynamic_port": first,
        "max_dynamic_port": last,
        "cpu_total_compute": 100_000,
        "memory_total_mb": 65_536,
        "options": {
            "fingerprint.denylist": "env_aws,env_gce,env_azure,env_digitalocean,consul,vault",
            "driver.denylist": "java,qemu,docker,exec",
        },
    });
    config["plugin"] = json!([{ "raw_exec": [{ "config": [{ "enabled": true }] }] }]);
    let file = folder.join(format!("{name}.json"));
    std::fs::write(&file, config.to_string()).unwrap();
    start(
        folder,
        name,
        "nomad",
        &["agent", &format!("-config={}", file.display())],
    )
}
