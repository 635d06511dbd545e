//! What there is on the servers of what a trial works on: jobs, what makes room for them, who may do what, and
//! the records.

use std::collections::BTreeMap;

use base64::Engine as _;
use serde_json::{Value, json};

use crate::cuts::without_ids;
use crate::support::Servers;

/// One thing on a server.
#[derive(Clone, Debug, PartialEq)]
pub struct Thing {
    /// How often it was registered, of a job.
    pub version: Option<u64>,
    /// What of it has to come out the same.
    pub text: String,
}

/// What there is of one name, by where it is; `NAME` stands for the name.
pub type World = BTreeMap<String, Thing>;

/// All that there is of one trial.
pub struct Inventory {
    things: BTreeMap<String, Thing>,
    /// The raw texts of the records, by key.
    records: BTreeMap<String, String>,
    prefix: String,
}

impl Inventory {
    /// Looks at everything whose name begins with the trial's, which is also its key prefix.
    pub fn of(servers: &Servers, trial: &str) -> Self {
        let mut inventory = Self {
            things: BTreeMap::new(),
            records: BTreeMap::new(),
            prefix: trial.to_owned(),
        };
        inventory.look_at_nomad(servers);
        inventory.look_at_keys(servers);
        if servers.consul.token.is_some() {
            inventory.look_at_access(servers);
        }
        inventory
    }

    fn add(&mut self, place: String, text: String) {
        let thing = Thing {
            version: None,
            text,
        };
        self.things.insert(place, thing);
    }

    fn look_at_nomad(&mut self, servers: &Servers) {
        let (nomad, trial) = (&servers.nomad, self.prefix.clone());
        for stub in list(nomad.get(&format!("/v1/jobs?namespace=*&prefix={trial}"))) {
            let (id, namespace) = (text(&stub["ID"]), text(&stub["Namespace"]));
            let job = nomad.job(&namespace, &id).unwrap_or_default();
            let greeting = text(&job["TaskGroups"][0]["Tasks"][0]["Env"]["A"]);
            let stopped = if job["Stop"] == true { ", stopped" } else { "" };
            let thing = Thing {
                version: job["Version"].as_u64(),
                text: format!(
                    "{} in {}, {greeting}{stopped}",
                    job["Type"], job["NodePool"]
                ),
            };
            self.things.insert(format!("job {namespace} {id}"), thing);
        }
        for (what, path) in [("namespace", "namespaces"), ("node pool", "node/pools")] {
            for it in list(nomad.get(&format!("/v1/{path}"))) {
                let words = json!([it["Description"], it["Meta"], it["Quota"]]);
                self.add(format!("{what} {}", text(&it["Name"])), words.to_string());
            }
        }
    }

    fn look_at_keys(&mut self, servers: &Servers) {
        let found = servers
            .consul
            .find(&format!("/v1/kv/{}/?recurse", self.prefix));
        let entries = list(found.unwrap_or_default());
        let keys: Vec<_> = entries.iter().map(|entry| text(&entry["Key"])).collect();
        for (entry, key) in entries.iter().zip(&keys) {
            let value = base64::engine::general_purpose::STANDARD.decode(text(&entry["Value"]));
            let value = String::from_utf8(value.unwrap()).unwrap();
            let Some((_, place)) = key.split_once('/') else {
                continue;
            };
            let mut json: Value = serde_json::from_str(&value).unwrap_or_default();
            if place == "domains" {
                for (domain, tenant) in json.as_object().into_iter().flatten() {
                    self.add(format!("domain {domain}"), tenant.to_string());
                }
                continue;
            }
            let revision = json["revision"].as_u64().unwrap_or_default();
            timeless(&mut json);
            let mut words = without_ids(&json.to_string());
            if entry.get("Session").is_some() {
                words.push_str(", locked");
            }
            if let Some(application) = place.strip_prefix("applications/") {
                let kept = format!("{}/revisions/{application}/{revision:010}", self.prefix);
                if !is_aside(key) && !keys.contains(&kept) {
                    words.push_str(", whose revision is not kept");
                }
            }
            self.add(format!("key {key}"), words);
            self.records.insert(key.clone(), value);
        }
    }

    fn look_at_access(&mut self, servers: &Servers) {
        let (nomad, consul, trial) = (&servers.nomad, &servers.consul, self.prefix.clone());
        let ours = |name: &str| name.contains(&trial);
        for stub in list(nomad.get("/v1/acl/policies")) {
            let name = text(&stub["Name"]);
            if let Some(it) = ours(&name)
                .then(|| nomad.find(&format!("/v1/acl/policy/{name}")))
                .flatten()
            {
                let words = json!([it["Description"], it["Rules"]]);
                self.add(format!("Nomad policy {name}"), words.to_string());
            }
        }
        for stub in list(consul.get("/v1/acl/policies")) {
            let name = text(&stub["Name"]);
            if let Some(it) = ours(&name)
                .then(|| consul.find(&format!("/v1/acl/policy/{}", text(&stub["ID"]))))
                .flatten()
            {
                let words = json!([it["Description"], it["Rules"]]);
                self.add(format!("Consul policy {name}"), words.to_string());
            }
        }
        for it in list(consul.get("/v1/acl/roles")) {
            let policies = list(it["Policies"].clone());
            let policies: Vec<_> = policies.iter().map(|it| text(&it["Name"])).collect();
            let words = json!([it["Description"], policies]);
            self.add(
                format!("Consul role {}", text(&it["Name"])),
                words.to_string(),
            );
        }
        let Some(vault) = servers.has_vault().then(|| servers.vault()) else {
            return;
        };
        for (what, path) in [
            ("policy", "/v1/sys/policies/acl"),
            ("role", "/v1/auth/jwt-nomad/role"),
        ] {
            let names = vault.find(&format!("{path}?list=true")).unwrap_or_default();
            for name in list(names["data"]["keys"].clone()) {
                let name = text(&name);
                if let Some(it) = ours(&name)
                    .then(|| vault.find(&format!("{path}/{name}")))
                    .flatten()
                {
                    self.add(format!("Vault {what} {name}"), it["data"].to_string());
                }
            }
        }
    }

    /// What has to come out the same of a name.
    pub fn world(&self, name: &str) -> World {
        let things = self.things.iter();
        let things = things.filter(|(place, _)| place.contains(name) && !is_aside(place));
        things
            .map(|(place, thing)| {
                let text = thing.text.replace(name, "NAME");
                (place.replace(name, "NAME"), Thing { text, ..*thing })
            })
            .collect()
    }

    /// Where there is anything at all of a name.
    pub fn left(&self, name: &str) -> Vec<&str> {
        let places = self.things.keys().map(String::as_str);
        places.filter(|place| place.contains(name)).collect()
    }

    /// What there is of a name, and no record tells of. Of a job it has to be told which one it is, where the
    /// records are to be `settled`.
    pub fn orphans(&self, name: &str, settled: bool) -> Vec<String> {
        let told = |place: &str| {
            let mut words = place.split(' ');
            let folders: &[_] = match words.next() {
                Some("job") => &["applications"],
                Some("namespace" | "node") => &["tenants", "scopes"],
                Some("key" | "domain") => return true,
                _ => &["tenants"],
            };
            let id = place
                .starts_with("job")
                .then(|| words.next_back())
                .flatten();
            folders.iter().any(|folder| {
                let start = format!("{}/{folder}/", self.prefix);
                let mut records = self.records.iter();
                records.any(|(key, text)| {
                    let of_it = key.starts_with(&start) && key.contains(name) && !is_aside(key);
                    let id = id.filter(|_| settled);
                    of_it && id.is_none_or(|id| text.contains(&format!("\"id\":\"{id}\"")))
                })
            })
        };
        let lost = self.left(name).into_iter().filter(|place| !told(place));
        lost.map(|place| format!("no record tells of the {place}"))
            .collect()
    }
}

/// Whether it may be there or not as long as anything is: what marks creations, what counts a tenant's usage,
/// and what an application was before.
fn is_aside(place: &str) -> bool {
    place.ends_with("/unseen") || place.contains("/usage/") || place.contains("/revisions/")
}

/// How a world is not what it should be, place by place. Versions count where they are to be the same.
pub fn differences(found: &World, expected: &World, same_versions: bool) -> Vec<String> {
    let mut places: Vec<_> = found.keys().chain(expected.keys()).collect();
    places.sort();
    places.dedup();
    let differs = |place: &&&String| match (found.get(**place), expected.get(**place)) {
        (Some(one), Some(other)) => {
            one.text != other.text || same_versions && one.version != other.version
        }
        _ => true,
    };
    let places = places.iter().filter(differs);
    places
        .map(|place| {
            let (found, expected) = (found.get(*place), expected.get(*place));
            format!("the {place} is {found:?}, and not {expected:?}")
        })
        .collect()
}

/// Takes away what depends on when and how often something was done.
fn timeless(json: &mut Value) {
    match json {
        Value::Object(entries) => {
            for name in [
                "revision",
                "created_at",
                "updated_at",
                "version",
                "job_modify_index",
            ] {
                entries.remove(name);
            }
            entries.values_mut().for_each(timeless);
        }
        Value::Array(items) => items.iter_mut().for_each(timeless),
        _ => {}
    }
}

fn list(value: Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items,
        _ => Vec::new(),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
