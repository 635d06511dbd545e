//! The policies that the guide gives are enough, and nothing in them is too much.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use oam_provider::http::{Endpoint, Server, Settings};
use oam_provider::nomad;

use super::support::api::wait;
use super::support::terraform::{Diagnostic, Run};
use super::support::{Options, Role, Servers, Tokens, Workspace, eventually, policies};
use super::{application, yearly};

/// Servers that deny by default, for the tests of this module.
fn guarded() -> &'static Servers {
    static GUARDED: OnceLock<Servers> = OnceLock::new();
    GUARDED.get_or_init(|| {
        Servers::start(Options {
            acl: true,
            ..Options::default()
        })
    })
}

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

/// The rights in a policy: its lines with a policy or a capability.
fn rights(text: &str) -> Vec<&str> {
    let is_right = |line: &&str| line.starts_with('"') || line.contains(" = \"");
    text.lines().map(str::trim).filter(is_right).collect()
}

/// The policy with one right less: a right to write becomes one to read, any other goes.
fn without(text: &str, right: &str) -> String {
    let lines = text.lines().filter_map(|line| match line.trim() == right {
        false => Some(line.to_owned()),
        true if line.contains("\"write\"") => Some(line.replace("\"write\"", "\"read\"")),
        true => None,
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
        format!(
            r#"
  scopes = ["network/guarded"]
  component "web" {{
    type    = "worker"
    driver  = "raw_exec"
    command = ["/bin/sh", "-c", "{command}"]
    restart_policy {{
      attempts = 0
      interval = "1m"
      delay    = "1s"
      mode     = "fail"
    }}
    update_strategy {{
      min_healthy_time  = "1s"
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

/// Runs the cycle with the role's policies, and with each right in them taken away; `rows` has the
/// file, the beginning of the line, the step that is refused then, and words of what is said.
fn nothing_is_too_much(
    role: Role,
    files: &[&str],
    rows: &[(&str, &str, &'static str, &[&str])],
    cycle: fn(&str, &Tokens) -> Result<(), Refused>,
) {
    let servers = guarded();
    let name = format!("{role:?}").to_lowercase();
    let whole = servers.tokens(role, "oam");
    cycle(&format!("{name}-whole"), &whole).unwrap();

    let mut left: BTreeSet<_> = files
        .iter()
        .flat_map(|file| {
            let text = policies::text(file);
            let rights = rights(&text).into_iter().map(str::to_owned);
            rights
                .map(|right| ((*file).to_owned(), right))
                .collect::<Vec<_>>()
        })
        .collect();
    for (number, (file, begin, step, words)) in rows.iter().enumerate() {
        let found = left
            .iter()
            .find(|(of, right)| of == file && right.starts_with(begin));
        let found = found
            .unwrap_or_else(|| panic!("{file} has no {begin}"))
            .clone();
        let (nomad, consul) = policies::texts_with(role, "oam", &|of, text| match of == *file {
            true => without(&text, &found.1),
            false => text,
        });
        left.remove(&found);
        let case = format!("{name}-{number}");
        let less = Tokens::of(servers, &case, nomad.as_deref(), &consul);
        let Err(refused) = cycle(&case, &less) else {
            panic!("{file}: nothing needs {begin}");
        };
        assert_eq!(refused.step, *step, "{file}: {begin}: {}", refused.told);
        for word in *words {
            assert!(
                refused.told.contains(word),
                "{file}: {begin}: {}",
                refused.told
            );
        }
    }
    assert_eq!(left, BTreeSet::new(), "rights that no row takes away");
}

#[test]
fn a_pipeline_of_applications_needs_all_of_its_policies_and_no_more() {
    let servers = guarded();
    let scope = "resource \"oam_network_scope\" \"it\" {\n  name         = \"guarded\"\n  network_mode = \"host\"\n}\n";
    let platform = Workspace::platform(servers, scope);
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
            (consul, "key_prefix \"oam/applications/", "apply", in_consul),
            (consul, "key_prefix \"oam/revisions/", "apply", in_consul),
            (consul, "key_prefix \"oam/scopes/", "apply", in_consul),
            (consul, "session_prefix", "apply", in_consul),
        ],
        applications,
    );
    platform.destroy();
}
