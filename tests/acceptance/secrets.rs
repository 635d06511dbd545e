//! Secrets are planted wherever the provider takes or meets one, and looked for wherever something is
//! kept: plans, states, logs of Terraform and of the provider with everything in them, Consul, Nomad.

use super::support::secrets::Planted;
use super::support::{Action, Options, Proxy, Servers, Workspace};
use super::{application, worker, yearly};
use serde_json::json;

const PART: &str = "driver = \"raw_exec\"\n command = [\"/bin/true\"]";

/// What the provider block of a workspace takes its secrets from: no plan keeps them.
fn variables(names: &[&str]) -> String {
    let variable = |name: &&str| {
        format!(
            "variable \"{name}\" {{\n  type      = string\n  sensitive = true\n  ephemeral = true\n}}\n"
        )
    };
    names.iter().map(variable).collect()
}

/// A token that may do everything, which nobody else has.
fn nomad_token(servers: &Servers) -> String {
    let made = servers.nomad.put(
        "/v1/acl/token",
        &json!({ "Name": "planted", "Type": "management" }),
    );
    made.json()["SecretID"].as_str().unwrap().to_owned()
}

/// The same for Consul.
fn consul_token(servers: &Servers) -> String {
    let policies = json!({ "Policies": [{ "Name": "global-management" }] });
    let made = servers.consul.put("/v1/acl/token", &policies);
    made.json()["SecretID"].as_str().unwrap().to_owned()
}

/// A workspace in which Terraform and the provider log everything, the one into another file than the other.
fn outspoken(configuration: &str) -> Workspace {
    let mut work = Workspace::bare(configuration);
    work.set("TF_LOG", "TRACE");
    work.set("TF_LOG_PROVIDER", "TRACE");
    work
}

#[test]
fn what_is_looked_for_is_found_in_every_form() {
    let mut planted = Planted::default();
    let secret = "p4ss\"w0rd/of+the ring";
    planted.plant("it", secret);
    use base64::Engine as _;
    let engine = base64::engine::general_purpose::STANDARD;
    for text in [
        format!("x {secret} y"),
        json!({ "a": secret }).to_string(),
        json!({ "a": json!({ "b": secret }).to_string() }).to_string(),
        engine.encode(secret),
        engine.encode(format!("1{secret}1")),
        engine.encode(format!("12{secret}22")),
        engine.encode(json!({ "a": format!("header: {secret}") }).to_string()),
        "p4ss%22w0rd%2Fof%2Bthe%20ring".to_owned(),
        "p4ss%22w0rd%2fof%2bthe%20ring".to_owned(),
        "p4ss\"w0rd/o\n  f+the ring".to_owned(),
        "p4ss\"w0rd/".to_owned(),
        "of+the ring".to_owned(),
    ] {
        assert!(!planted.within(text.as_bytes()).is_empty(), "{text}");
    }
    planted.none_in("what has nothing to do with it", "p4ss the ring of 0x12");
}

#[test]
fn secrets_are_kept_nowhere() {
    let servers = Servers::start(Options {
        acl: true,
        ..Options::default()
    });
    let nomad = Proxy::start(&servers.nomad.address);
    let consul = Proxy::start(&servers.consul.address);
    let mut planted = Planted::default();
    let tokens = [
        ("nomad", nomad_token(&servers)),
        ("cluster", nomad_token(&servers)),
        ("consul", consul_token(&servers)),
        ("vault", "hvs.CAESIPlantedForTheVault0123456789".to_owned()),
    ];
    // Nobody's own: tokens that no server knows.
    let strange = [
        "5d1c9a70-3b62-4f6e-9e0a-70f1d2c3b4a5",
        "e7b8a6c5-1d2f-4a3b-8c9d-0a1b2c3d4e5f",
    ];
    for (name, token) in &tokens {
        planted.plant(&format!("the token of {name}"), token);
    }
    for token in strange {
        planted.plant("a strange token", token);
    }
    let provider = format!(
        r#"{}
        provider "oam" {{
          nomad {{
            address = "{nomad}"
            token   = var.nomad
          }}
          consul {{
            address = "{consul}"
            token   = var.consul
          }}
          vault {{
            address = "http://127.0.0.1:1"
            token   = var.vault
          }}
          cluster "far" {{
            address = "{nomad}"
            token   = var.cluster
          }}
        }}"#,
        variables(&tokens.each_ref().map(|(name, _)| *name)),
        nomad = nomad.address,
        consul = consul.address,
    );
    let first = application(
        "kept",
        &format!("{}{}", yearly("job", PART), far("far", PART)),
    );
    let mut work = outspoken(&first);
    work.write("provider.tf", &provider);
    for (name, token) in &tokens {
        work.set(&format!("TF_VAR_{name}"), token);
    }
    let run = |work: &Workspace, arguments: &[&str], code: i32| {
        let run = work.run(arguments);
        assert_eq!(run.code, Some(code), "{arguments:?}: {run:#?}");
        let printed = format!("{}{}", run.output, run.errors);
        planted.none_in(&format!("what {arguments:?} has printed"), printed);
    };

    run(&work, &["validate"], 0);
    run(&work, &["plan", "-out=first.tfplan"], 0);
    run(&work, &["show", "-json", "first.tfplan"], 0);
    run(&work, &["apply", "first.tfplan"], 0);
    run(&work, &["apply", "-refresh-only", "-auto-approve"], 0);
    run(&work, &["plan", "-detailed-exitcode"], 0);

    // Errors whose texts have in them what was sent.
    let second = application(
        "kept",
        &format!("{}{}", yearly("job", PART), yearly("more", PART)),
    );
    work.change(&second);
    for status in [400, 403, 500, 503] {
        for proxy in [&nomad, &consul] {
            proxy.rule(move |_| Action::Echo(status));
            run(&work, &["apply", "-auto-approve"], 1);
            run(&work, &["plan", "-out=failed.tfplan"], 1);
            proxy.rule(|_| Action::Forward);
        }
        nomad.rule(move |seen| match seen.method.as_str() {
            "GET" => Action::Forward,
            _ => Action::Echo(status),
        });
        run(&work, &["apply", "-auto-approve"], 1);
        nomad.rule(|_| Action::Forward);
    }
    run(&work, &["apply", "-auto-approve"], 0);

    // Tokens that are refused, or cannot even be sent.
    for (name, token) in &tokens[..3] {
        for wrong in [
            strange[0].to_owned(),
            format!("{}\n{}", strange[1], strange[0]),
        ] {
            work.set(&format!("TF_VAR_{name}"), &wrong);
            run(&work, &["plan"], i32::from(*name != "cluster"));
        }
        work.set(&format!("TF_VAR_{name}"), token);
    }

    // An import, with a configuration that is written for it.
    let mut other = outspoken("import {\n  to = oam_application.it\n  id = \"kept\"\n}\n");
    other.write("provider.tf", &provider);
    for (name, token) in &tokens {
        other.set(&format!("TF_VAR_{name}"), token);
    }
    run(
        &other,
        &["plan", "-generate-config-out=made.tf", "-out=made.tfplan"],
        0,
    );
    run(&other, &["apply", "-auto-approve"], 0);
    run(&other, &["plan", "-detailed-exitcode"], 0);
    run(&other, &["state", "rm", "oam_application.it"], 0);

    run(&work, &["destroy", "-auto-approve"], 0);
    for work in [&work, &other] {
        let files = planted.none_in_files(work.folder());
        for (what, sign) in [
            ("the plan", "--- tfplan\n"),
            ("the state", "terraform.tfstate\n"),
            ("Terraform's log", "[TRACE]"),
            ("the provider's log", "tf_rpc=PlanResourceChange"),
        ] {
            assert!(files.contains(sign), "{what} was not looked into");
        }
        assert!(!files.contains("crash.log\n"), "something has crashed");
    }
    let kept = planted.none_in_servers(&servers);
    assert!(
        kept.contains("\"JobRegistered\""),
        "Nomad's events were not seen: {}",
        kept.split("=== ")
            .find(|it| it.starts_with("Nomad's events"))
            .unwrap()
    );
}

/// What a plan keeps of a variable that is only sensitive: so much for how well they are looked for.
#[test]
fn a_secret_in_a_plan_is_found() {
    let servers = super::support::servers();
    let secret = "0a1b2c3d-planted-4e5f6071";
    let mut planted = Planted::default();
    planted.plant("the token", secret);
    let mut work = Workspace::bare(&application("foundout", &yearly("job", PART)));
    work.write(
        "provider.tf",
        &format!(
            "{}provider \"oam\" {{\n  nomad {{\n    address = \"{}\"\n    token = var.nomad\n    dry_run = \"off\"\n  }}\n  \
             consul {{\n    address = \"{}\"\n  }}\n}}\n",
            variables(&["nomad"]).replace("ephemeral = true", ""),
            servers.nomad.address,
            servers.consul.address,
        ),
    );
    work.set("TF_VAR_nomad", secret);
    work.run(&["plan", "-out=saved.tfplan"]).succeeded();
    let found = std::panic::catch_unwind(|| planted.none_in_files(work.folder()));
    let found = found.unwrap_err();
    let message = found.downcast_ref::<String>().unwrap();
    assert!(message.contains("saved.tfplan"), "{message}");
}

/// A component on the cluster `far`.
fn far(name: &str, more: &str) -> String {
    yearly(name, &format!("target_clusters = [\"far\"]\n{more}"))
}

/// What a task writes before it fails is for who has started the run, and for nobody else.
#[test]
fn what_a_failed_task_says_is_printed_and_kept_nowhere() {
    let servers = super::support::servers();
    // The job's text must not have it.
    let secret = "the-word-of-the-failed-task-4711";
    let said_backwards: String = secret.chars().rev().collect();
    let mut planted = Planted::default();
    planted.plant("what the task has written", secret);
    let component = worker(
        "web",
        "restart_policy {\n      attempts = 0\n      interval = \"1m\"\n      delay = \"1s\"\n      mode = \"fail\"\n    }\n    \
         update_strategy { progress_deadline = \"0s\" }",
    );
    let component = component.replace(
        "[\"/bin/sleep\", \"100000\"]",
        &format!("[\"/bin/sh\", \"-c\", \"echo {said_backwards} | rev >&2; exit 3\"]"),
    );
    let mut work = Workspace::new(servers, &application("toldof", &component));
    work.set("TF_LOG_PROVIDER", "TRACE");
    let run = work.try_apply();
    run.failed();
    let printed = format!("{}{}", run.output, run.errors);
    assert!(
        printed.contains(secret),
        "the failed task's words: {printed}"
    );
    planted.none_in_files(work.folder());
    planted.none_in_servers(servers);
    work.destroy();
    planted.none_in_files(work.folder());
}

/// The key of a client certificate, given as text, and what is no key.
#[test]
fn keys_of_certificates_are_kept_nowhere() {
    let servers = Servers::start(Options {
        acl: true,
        tls: true,
        mutual_tls: true,
        ..Options::default()
    });
    let client = servers.client.as_ref().unwrap();
    let read = |file: &std::path::Path| std::fs::read_to_string(file).unwrap();
    let key = read(&client.key);
    let names = ["nomad", "consul", "key"];
    let mut work = outspoken(&application("sealedkey", &yearly("job", PART)));
    let tls = format!(
        "ca_pem = <<-EOT\n{}EOT\n    cert_pem = <<-EOT\n{}EOT\n    key_pem = var.key",
        read(&servers.folder().join("tests-ca.pem")),
        read(&client.certificate)
    );
    work.write(
        "provider.tf",
        &format!(
            "{}provider \"oam\" {{\n  nomad {{\n    address = \"{}\"\n    token = var.nomad\n    {tls}\n  }}\n  \
             consul {{\n    address = \"{}\"\n    token = var.consul\n    {tls}\n  }}\n}}\n",
            variables(&names),
            servers.nomad.address,
            servers.consul.address,
        ),
    );
    let mut planted = Planted::default();
    // What in it is secret: 32 bytes of PKCS #8, after its 36 first ones. The public key is in it, too.
    let body: String = key.lines().filter(|line| !line.starts_with('-')).collect();
    planted.plant("the key", &body[48..90]);
    for (name, token) in [
        ("nomad", nomad_token(&servers)),
        ("consul", consul_token(&servers)),
    ] {
        planted.plant(&format!("the token of {name}"), &token);
        work.set(&format!("TF_VAR_{name}"), &token);
    }
    let run = |work: &Workspace, arguments: &[&str], good: bool| {
        let run = work.run(arguments);
        assert_eq!(run.code == Some(0), good, "{arguments:?}: {run:#?}");
        let printed = format!("{}{}", run.output, run.errors);
        planted.none_in(&format!("what {arguments:?} has printed"), printed);
    };
    // Half of a key, one without its lines, and what is not PEM at all.
    let body: Vec<_> = key.lines().collect();
    for wrong in [
        key[..key.len() / 2].to_owned(),
        body.concat(),
        body[1..body.len() - 1].join("\n"),
    ] {
        work.set("TF_VAR_key", &wrong);
        run(&work, &["plan"], false);
    }
    work.set("TF_VAR_key", &key);
    run(&work, &["plan", "-out=saved.tfplan"], true);
    run(&work, &["show", "-json", "saved.tfplan"], true);
    run(&work, &["apply", "saved.tfplan"], true);
    run(&work, &["plan", "-detailed-exitcode"], true);
    run(&work, &["destroy", "-auto-approve"], true);
    let files = planted.none_in_files(work.folder());
    assert!(files.contains("--- tfplan\n"), "no plan was unpacked");
    planted.none_in_servers(&servers);
}
