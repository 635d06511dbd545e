//! Secrets of a real Vault, by the workload identity of the tasks.

use super::support::secrets::Planted;
use super::support::{Servers, Workspace, eventually};
use super::{BRIDGE, application, at, destroy, platform, web};
use serde_json::json;

/// What a component's running instance has in a variable, or in a file.
fn asked(servers: &Servers, job: &str, path: &str) -> Option<String> {
    let answer = servers.nomad.ask_job("default", job, "http", path)?;
    (answer.status == 200).then(|| answer.body.trim().to_owned())
}

#[test]
fn tasks_get_secrets_and_nobody_else_does() {
    let Some(servers) = platform() else { return };
    let vault = servers.vault();
    let password = "pass\"word $1 of-the-vault";
    vault.write(
        "secrets/db",
        &json!({ "password": password, "user-name": "user-of-the-vault" }),
    );
    vault.write("secrets/more", &json!({ "pin": "pin-of-the-vault" }));
    vault.write_short_lived("secrets/key", &json!({ "key": "first-of-the-vault" }));
    servers.consul.write_key("secrets/motd", "words of Consul");

    let more = r#"
    vault_secret "secret/data/secrets/db" {
      env = {
        password    = "DB_PASSWORD"
        "user-name" = "DB_USER"
      }
    }
    env_from "PIN" {
      vault_secret {
        path  = "secret/data/secrets/more"
        field = "pin"
      }
    }
    env_from "MOTD" {
      consul_key { key = "secrets/motd" }
    }"#;
    let restarted = web(
        "restarted",
        &format!("{more}\n    vault_secret \"plain/secrets/key\" {{ env = {{ key = \"KEY\" }} }}"),
    );
    // Notes each signal that it gets.
    let noting = r#"trap "exit 0" TERM; trap "echo got it >> /local/signals" HUP; /bin/serve & while :; do wait; done"#;
    let signalled = web(
        "signalled",
        &format!(
            r#"command = ["/bin/sh", "-c", {}]
    vault_secret "plain/secrets/key" {{
      env         = {{ key = "KEY" }}
      change_mode = "signal"
    }}"#,
            json!(noting)
        ),
    );
    let mut work = Workspace::new(
        servers,
        &application("secretive", &format!("{BRIDGE}{restarted}{signalled}")),
    );
    work.set("TF_LOG_PROVIDER", "TRACE");
    let plan = work.plan();
    work.apply_plan(&plan).succeeded();
    for (name, value) in [
        ("DB_PASSWORD", password),
        ("DB_USER", "user-of-the-vault"),
        ("PIN", "pin-of-the-vault"),
        ("MOTD", "words of Consul"),
        ("KEY", "first-of-the-vault"),
    ] {
        let found = asked(servers, "secretive-restarted", &format!("/env/{name}"));
        assert_eq!(found.as_deref(), Some(value), "{name}");
    }
    let file = "/file/secrets/plain/secrets/key.env";
    let in_file = || asked(servers, "secretive-signalled", file);
    assert_eq!(in_file().as_deref(), Some("KEY=\"first-of-the-vault\""));
    let in_variable = || asked(servers, "secretive-signalled", "/env/KEY");
    assert_eq!(in_variable().as_deref(), Some("first-of-the-vault"));
    work.plan().assert_empty();

    vault.write_short_lived("secrets/key", &json!({ "key": "second-of-the-vault" }));
    eventually("the one is restarted with the new secret", || {
        (asked(servers, "secretive-restarted", "/env/KEY")? == "second-of-the-vault").then_some(())
    });
    eventually("the other has it in its file", || {
        (in_file()? == "KEY=\"second-of-the-vault\"").then_some(())
    });
    eventually("the other got a signal", || {
        let signals = asked(servers, "secretive-signalled", "/file/local/signals")?;
        (signals.lines().next() == Some("got it")).then_some(())
    });
    assert_eq!(in_variable().as_deref(), Some("first-of-the-vault"));
    let restarts = |job: &str, task: &str| {
        let allocation = &servers.nomad.allocations("default", job)[0];
        at(allocation, &format!("/TaskStates/{task}/Restarts")).clone()
    };
    eventually("Nomad says that the one was restarted", || {
        (restarts("secretive-restarted", "restarted") == 1).then_some(())
    });
    assert_eq!(restarts("secretive-signalled", "signalled"), 0);
    work.plan().assert_empty();

    nobody_else_has(servers, &work, "secretive", &["of-the-vault"]);
    destroy(servers, &work, "secretive");
    // What was kept of it while it was taken away.
    nobody_else_has(servers, &work, "secretive", &["of-the-vault"]);
    servers.consul.delete("/v1/kv/secrets?recurse");
}

/// Looks through everything that the provider, Nomad and Consul keep of an application that was planned
/// with [`Workspace::plan`] and with everything logged.
pub fn nobody_else_has(servers: &Servers, work: &Workspace, name: &str, secrets: &[&str]) {
    let mut planted = Planted::default();
    for secret in secrets {
        planted.plant(secret, secret);
    }
    let files = planted.none_in_files(work.folder());
    assert!(
        files.contains("--- tfstate\n") && files.contains(name),
        "the plan cannot be looked into"
    );
    let log = work.log();
    assert!(
        log.contains(&format!("job={name}-")) || log.contains(&format!("/{name}-")),
        "{log}"
    );
    let kept = planted.none_in_servers(servers);
    assert!(
        kept.contains(&format!("\"{name}-")),
        "nothing is known of {name}"
    );
}
