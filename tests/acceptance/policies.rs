//! The policies that the guide gives are enough, and nothing in them is too much.

use std::collections::BTreeSet;

use oam_provider::http::{Endpoint, Server, Settings};
use oam_provider::nomad;

use super::support::api::wait;
use super::support::terraform::{Diagnostic, Run, provider_block, provider_block_with};
use super::support::{Policies, Role, Tokens, Workspace, eventually, guarded, policies};
use super::{application, worker, yearly};

/// Where a cycle was refused something, and what was said.
#[derive(Debug)]
struct Refused {
    step: &'static str,
    told: String,
}

fn refused(step: &'static str, errors: &[Diagnostic]) -> Refused {
    let told = errors
        .iter()
        .map(|error| format!("{}\n{}\n", error.summary, error.detail));
    Refused {
        step,
        told: told.collect(),
    }
}

fn done(step: &'static str, run: &Run) -> Result<(), Refused> {
    match run.code {
        Some(0) => Ok(()),
        _ => Err(refused(step, &run.failed())),
    }
}

/// The rights in a policy, each with its line: `key_prefix "oam/" { policy = "write" }`, or the head of
/// its block and the capability.
fn rights(text: &str) -> Vec<(usize, String)> {
    let mut head = "";
    let mut rights = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.starts_with('#') {
            continue;
        }
        if let Some(block) = line.strip_suffix(" {") {
            head = block;
        } else if let Some(rest) = line.trim().strip_prefix('"') {
            let capability = rest.split('"').next().unwrap();
            rights.push((number, format!("{head} \"{capability}\"")));
        } else if line.contains(" = \"") {
            rights.push((number, line.to_owned()));
        }
    }
    rights
}

/// The policy with the right in this line less: one to write becomes one to read, any other goes.
fn without(text: &str, number: usize) -> String {
    let lines = text.lines().enumerate().filter_map(|(at, line)| {
        match (at == number, line.contains("\"write\"")) {
            (false, _) => Some(line.to_owned()),
            (true, true) => Some(line.replace("\"write\"", "\"read\"")),
            (true, false) => None,
        }
    });
    lines.map(|line| line + "\n").collect()
}

/// What a pipeline does with an application, from its creation to its end.
fn applications(name: &str, tokens: &Tokens) -> Result<(), Refused> {
    let servers = guarded();
    let part = r#"
    driver  = "exec"
    command = ["/bin/true"]
    volume "data" {
      type       = "host"
      source     = "data"
      mount_path = "/data"
    }"#;
    let web = |command: &str| {
        // What exits must not be taken for healthy before it does.
        let time = if command.contains("exit") { "5s" } else { "1s" };
        format!(
            r#"
  scopes = ["network/guarded"]
  component "web" {{
    type    = "webservice"
    driver  = "raw_exec"
    port "http" {{
      port = 80
    }}
    ingress {{
      host = "{name}.example.net"
    }}
    command = ["/bin/sh", "-c", "{command}"]
    restart_policy {{
      attempts = 0
      interval = "1m"
      delay    = "1s"
      mode     = "fail"
    }}
    update_strategy {{
      min_healthy_time  = "{time}"
      progress_deadline = "0s"
    }}
  }}"#
        )
    };
    let configuration = |command: &str| application(name, &(yearly("job", part) + &web(command)));
    let work = Workspace::with(servers, &configuration("sleep 100000"), tokens);
    let steps = || {
        done("apply", &work.try_apply())?;
        work.plan().assert_empty();
        restart(name, tokens)?;
        work.change(&configuration("echo sesame >&2; exit 7"));
        let failed = refused("failure", &work.try_apply().failed());
        if !failed.told.contains("sesame") {
            return Err(failed);
        }
        done("destroy", &work.run(&["destroy", "-json", "-auto-approve"]))
    };
    let outcome = steps();
    if outcome.is_err() {
        work.give(servers, &Tokens::management(servers));
        work.destroy();
    }
    assert_eq!(servers.nomad.job_ids(name), Vec::<String>::new());
    assert_eq!(servers.consul.record("oam", "default", name), None);
    outcome
}

/// What the action `oam_restart` asks of Nomad, which no host of these tests can invoke.
fn restart(name: &str, tokens: &Tokens) -> Result<(), Refused> {
    let nomad = &guarded().nomad;
    let allocation = eventually("the worker runs", || {
        let all = nomad.allocations("default", &format!("{name}-web"));
        let running = all.iter().find(|it| it["ClientStatus"] == "running")?;
        Some(running["ID"].as_str()?.to_owned())
    });
    let settings = Settings {
        address: Some(nomad.address.clone()),
        token: tokens.nomad.as_deref().map(Into::into),
        ..Settings::default()
    };
    let endpoint = Endpoint::from(Server::Nomad, settings, &|_| None).unwrap();
    let client = nomad::Client::new(endpoint);
    let restarted = wait(async move { client.restart_allocation("default", &allocation).await });
    restarted.map_err(|error| Refused {
        step: "restart",
        told: error.to_string(),
    })
}

/// Runs the cycle with the role's policies, and with each right in them taken away; a row has the file,
/// a part of the right, the step that is refused then, and words of what is said.
fn nothing_is_too_much(
    role: Role,
    files: &[&str],
    rows: &[(&str, &str, &'static str, &[&str])],
    cycle: fn(&str, &Tokens) -> Result<(), Refused>,
) {
    let servers = guarded();
    let name = format!("{role:?}").to_lowercase();
    cycle(&format!("{name}whole"), &servers.tokens(role, "oam")).unwrap();

    let mut left: BTreeSet<_> = files
        .iter()
        .flat_map(|file| {
            let rights = rights(&policies::text(file)).into_iter();
            rights.map(|(line, right)| ((*file).to_owned(), line, right))
        })
        .collect();
    for (case, (file, part, step, words)) in rows.iter().enumerate() {
        let mut found = left
            .iter()
            .filter(|(of, _, right)| of == file && right.contains(part));
        let found = found.next().cloned();
        let found = found.unwrap_or_else(|| panic!("{file} has no {part}"));
        let less = Policies::changed(role, "oam", &|of, text| match of == *file {
            true => without(&text, found.1),
            false => text,
        });
        left.remove(&found);
        let case = format!("{name}{case}");
        let less = Tokens::of(servers, &case, &less);
        let Err(refused) = cycle(&case, &less) else {
            panic!("{file}: nothing needs {part}");
        };
        let Refused { step: at, told } = &refused;
        assert_eq!(at, step, "{file}: {part}: {told}");
        for word in *words {
            assert!(told.contains(word), "{file}: {part}: {told}");
        }
    }
    assert_eq!(left, BTreeSet::new(), "rights that no row takes away");
}

/// What the platform does with scopes and a tenant, from their creation to their end.
fn platform(name: &str, tokens: &Tokens) -> Result<(), Refused> {
    let servers = guarded();
    let configuration = |active: bool| {
        format!(
            r#"
resource "oam_network_scope" "it" {{
  name         = "{name}"
  network_mode = "host"
}}
resource "oam_tenant" "it" {{
  name         = "{name}"
  display_name = "The {name}"
  domain       = "{name}.example.com"
  active       = {active}
}}
"#
        )
    };
    let work = Workspace::with(servers, &configuration(true), tokens);
    let shop = format!("  tenant = \"{name}\"\n  scopes = [\"network/{name}\"]\n");
    let job = yearly("job", "driver = \"raw_exec\"\n command = [\"/bin/true\"]");
    let user = Workspace::with(
        servers,
        &application(&format!("{name}-shop"), &(shop + &job)),
        &Tokens::management(servers),
    );
    let destroy = ["destroy", "-json", "-auto-approve"];
    let steps = || {
        done("apply", &work.try_apply())?;
        work.plan().assert_empty();
        user.apply();
        for address in ["oam_network_scope.it", "oam_tenant.it"] {
            let target = format!("-target={address}");
            let run = work.run(&["destroy", "-json", "-auto-approve", &target]);
            let errors = refused("in use", &run.failed());
            if !errors.told.contains(&format!("{name}/{name}-shop")) {
                return Err(errors);
            }
        }
        user.destroy();
        // Somebody has opened the role to others.
        let role = format!("/v1/auth/jwt-nomad/role/oam-{name}");
        let mut opened = servers.vault().get(&role)["data"].clone();
        opened["bound_audiences"] = serde_json::json!(["vault.io", "others"]);
        servers.vault().post(&role, &opened);
        done("repair", &work.try_apply())?;
        work.plan().assert_empty();
        work.change(&configuration(false));
        done("change", &work.try_apply())?;
        done("destroy", &work.run(&destroy))
    };
    let outcome = steps();
    if outcome.is_err() {
        user.destroy();
        work.give(servers, &Tokens::management(servers));
        work.destroy();
    }
    for key in [
        format!("oam/tenants/{name}"),
        format!("oam/scopes/network/{name}"),
    ] {
        assert_eq!(servers.consul.key(&key), None);
    }
    let slug = format!("oam-{name}");
    assert_eq!(servers.nomad.find(&format!("/v1/namespace/{name}")), None);
    assert_eq!(servers.nomad.find(&format!("/v1/acl/policy/{slug}")), None);
    assert_eq!(
        servers.consul.find(&format!("/v1/acl/policy/name/{slug}")),
        None
    );
    assert_eq!(
        servers
            .vault()
            .find(&format!("/v1/sys/policies/acl/{slug}")),
        None
    );
    outcome
}

#[test]
fn a_platform_needs_all_of_its_policies_and_no_more() {
    let (consul, vault) = ("platform/consul.hcl", "platform/vault.hcl");
    let in_consul: &[&str] = &["Consul", "403", "CONSUL_HTTP_TOKEN"];
    let in_vault: &[&str] = &["Vault", "403", "VAULT_TOKEN"];
    nothing_is_too_much(
        Role::Platform,
        &[consul, vault],
        &[
            (consul, "acl = ", "apply", in_consul),
            (consul, "oam/tenants/", "apply", in_consul),
            (consul, "oam/domains", "apply", in_consul),
            (consul, "oam/usage/", "destroy", in_consul),
            (consul, "oam/scopes/", "apply", in_consul),
            (consul, "oam/applications/", "apply", in_consul),
            (consul, "session_prefix", "apply", in_consul),
            (vault, "acl/oam-*\" \"read\"", "apply", in_vault),
            (vault, "acl/oam-*\" \"update\"", "apply", in_vault),
            (vault, "acl/oam-*\" \"delete\"", "destroy", in_vault),
            (vault, "role/oam-*\" \"read\"", "apply", in_vault),
            (vault, "role/oam-*\" \"create\"", "apply", in_vault),
            (vault, "role/oam-*\" \"update\"", "repair", in_vault),
            (vault, "role/oam-*\" \"delete\"", "change", in_vault),
            (vault, "secret/config\" \"read\"", "apply", &["Vault"]),
        ],
        platform,
    );
}

/// What one provider does with a tenant, scopes and the tenant's application, from their creation to their
/// end.
fn everything(name: &str, tokens: &Tokens) -> Result<(), Refused> {
    let servers = guarded();
    let job = yearly("job", "driver = \"raw_exec\"\n command = [\"/bin/true\"]");
    let owned = format!(
        r#"
resource "oam_tenant" "it" {{
  name         = "{name}"
  display_name = "Everything"
}}
resource "oam_namespace_scope" "it" {{
  name      = "{name}"
  namespace = "{name}-more"
  create    = true
}}
resource "oam_node_pool_scope" "it" {{
  name      = "{name}"
  pool_name = "{name}"
  create    = true
}}
"#
    );
    let shop = application(
        name,
        &format!("  tenant = oam_tenant.it.name\n  scopes = [oam_namespace_scope.it.id]\n{job}"),
    );
    let work = Workspace::with(servers, &format!("{owned}{shop}"), tokens);
    let steps = || {
        done("apply", &work.try_apply())?;
        work.plan().assert_empty();
        let namespace = format!("{name}-more");
        assert!(
            servers
                .nomad
                .job(&namespace, &format!("{name}-job"))
                .is_some()
        );
        done("destroy", &work.run(&["destroy", "-json", "-auto-approve"]))
    };
    let outcome = steps();
    if outcome.is_err() {
        work.give(servers, &Tokens::management(servers));
        work.destroy();
    }
    for key in [
        format!("oam/tenants/{name}"),
        format!("oam/scopes/namespace/{name}"),
        format!("oam/scopes/node-pool/{name}"),
        format!("oam/applications/{name}/{name}"),
    ] {
        assert_eq!(servers.consul.key(&key), None);
    }
    let slug = format!("oam-{name}");
    assert_eq!(
        servers.consul.find(&format!("/v1/acl/policy/name/{slug}")),
        None
    );
    outcome
}

#[test]
fn one_provider_for_everything_needs_all_of_its_policy_and_no_more() {
    let consul = "everything/consul.hcl";
    let in_consul: &[&str] = &["Consul", "403", "CONSUL_HTTP_TOKEN"];
    nothing_is_too_much(
        Role::Everything,
        &[consul],
        &[
            (consul, "key_prefix \"oam/\"", "apply", in_consul),
            (consul, "acl = ", "apply", in_consul),
            (consul, "session_prefix", "apply", in_consul),
        ],
        everything,
    );
}

/// A pipeline may read what is everybody's, and not write it; Consul tells whoever may not write a key
/// nothing of its absence.
#[test]
fn a_pipeline_needs_no_right_to_write_what_is_not_there() {
    let (servers, prefix) = (guarded(), "bare");
    let more = "ingress {\n host = \"bare.example.net\"\n }\n\
                update_strategy {\n min_healthy_time = \"1s\"\n }";
    let web = |command: &str| {
        worker("web", more)
            .replace(
                "\"worker\"",
                "\"webservice\"\n    port \"http\" {\n      port = 80\n    }",
            )
            .replace("100000", command)
    };
    // Before any tenant has had a domain.
    let work = Workspace::bare(&application("bare-hosts", &web("100000")));
    work.write("provider.tf", &provider_block(servers, prefix));
    work.apply();
    work.plan().assert_empty();
    work.change(&application("bare-hosts", &web("100001")));
    work.apply();
    work.destroy();

    // Of a tenant that nobody manages, with its name in place of `default`.
    servers.nomad.namespace("bareacme");
    let named = Policies::changed(Role::Applications, prefix, &|file, text| match file {
        "applications/consul.hcl" => {
            text.replace("/default/", "/bareacme/")
                + "key \"oam/usage/bareacme\" { policy = \"read\" }\n"
        }
        _ => text.replace("\"default\"", "\"bareacme\""),
    });
    let tokens = Tokens::of(servers, "bare-acme", &named);
    let shop = |command: &str| {
        application(
            "bare-shop",
            &format!("  tenant = \"bareacme\"\n{}", web(command)),
        )
    };
    let work = Workspace::bare(&shop("100000"));
    work.write(
        "provider.tf",
        &provider_block_with(servers, prefix, &tokens),
    );
    work.apply();
    work.plan().assert_empty();
    work.change(&shop("100001"));
    work.apply();
    assert!(servers.nomad.job("bareacme", "bare-shop-web").is_some());
    work.destroy();
    let left = servers.consul.keys(&format!("{prefix}/"));
    assert_eq!(left, Vec::<String>::new());
    servers.nomad.delete("/v1/namespace/bareacme");
}

#[test]
fn a_pipeline_of_applications_needs_all_of_its_policies_and_no_more() {
    let servers = guarded();
    let scope = "resource \"oam_network_scope\" \"it\" {\n  name         = \"guarded\"\n  network_mode = \"host\"\n}\n";
    let platform = Workspace::with(servers, scope, &servers.tokens(Role::Platform, "oam"));
    platform.apply();
    let (nomad, consul) = ("applications/nomad.hcl", "applications/consul.hcl");
    let in_nomad: &[&str] = &["Nomad", "403", "NOMAD_TOKEN"];
    let in_consul: &[&str] = &["Consul", "403", "CONSUL_HTTP_TOKEN"];
    nothing_is_too_much(
        Role::Applications,
        &[nomad, consul],
        &[
            (nomad, "\"submit-job\"", "apply", in_nomad),
            (nomad, "\"read-job\"", "apply", in_nomad),
            (nomad, "\"list-jobs\"", "destroy", in_nomad),
            (
                nomad,
                "\"read-logs\"",
                "failure",
                &["could not be read", "Exit Code: 7"],
            ),
            (nomad, "\"alloc-lifecycle\"", "restart", in_nomad),
            (nomad, "host_volume", "apply", in_nomad),
            (consul, "oam/applications/", "apply", in_consul),
            (consul, "oam/revisions/", "apply", in_consul),
            (consul, "oam/scopes/", "apply", in_consul),
            (consul, "oam/tenants/", "apply", in_consul),
            (consul, "oam/domains", "apply", in_consul),
            (consul, "session_prefix", "apply", in_consul),
        ],
        applications,
    );
    platform.destroy();
}
