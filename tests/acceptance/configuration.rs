//! How the provider comes to know its servers: blocks, environment, tokens, certificates, and values
//! that are known only at apply.

use super::support::{Options, Proxy, Role, Servers, Workspace, servers};
use super::{ADDRESS, application, at, yearly};

const PART: &str = "driver = \"raw_exec\"\n command = [\"/bin/true\"]";

#[test]
fn the_environment_says_where_the_servers_are() {
    let servers = servers();
    let mut work = Workspace::bare(&application("by-environment", &yearly("job", PART)));
    work.set("NOMAD_ADDR", &servers.nomad.address);
    // Consul's own commands take an address without a scheme as well.
    let consul = servers.consul.address.trim_start_matches("http://");
    work.set("CONSUL_HTTP_ADDR", consul);
    work.apply();
    assert!(servers.nomad.job("default", "by-environment-job").is_some());
    work.plan().assert_empty();
    work.destroy();
}

#[test]
fn a_key_prefix_keeps_records_apart() {
    let servers = servers();
    let work = Workspace::bare(&application("prefixed", &yearly("job", PART)));
    work.write(
        "provider.tf",
        &super::support::terraform::provider_block(servers, "teams/blue"),
    );
    work.apply();
    assert_eq!(
        servers.consul.keys("teams/blue/"),
        [
            "teams/blue/applications/default/prefixed",
            "teams/blue/revisions/default/prefixed/0000000001",
        ]
    );
    assert_eq!(servers.consul.record("oam", "default", "prefixed"), None);
    work.destroy();
    assert_eq!(servers.consul.keys("teams/blue/"), Vec::<String>::new());
}

#[test]
fn tokens_are_used_and_never_shown() {
    let servers = Servers::start(Options {
        acl: true,
        ..Options::default()
    });
    let configuration = application("guarded", &yearly("job", PART));
    let work = Workspace::new(&servers, &configuration);
    let applied = work.apply();
    let plan = work.plan();
    plan.assert_empty();
    let tokens = servers.tokens(Role::Applications, "oam");
    let tokens = [tokens.nomad, tokens.consul].map(Option::unwrap);
    let state = std::fs::read_to_string(work.folder().join("terraform.tfstate")).unwrap();
    let record = servers
        .consul
        .key("oam/applications/default/guarded")
        .unwrap()
        .0;
    for (place, text) in [
        ("output", &applied.output),
        ("errors", &applied.errors),
        ("state", &state),
        ("log", &work.log()),
        ("record", &record),
        ("planned values", &plan.json["planned_values"].to_string()),
    ] {
        for token in &tokens {
            assert!(!text.contains(token.as_str()), "a token is in the {place}");
        }
    }

    // The same through the environment, and wrong ones: told apart from other troubles, by server.
    let mut wrong = Workspace::bare(&application("unguarded", &yearly("job", PART)));
    wrong.set("NOMAD_ADDR", &servers.nomad.address);
    wrong.set("NOMAD_TOKEN", "33333333-3333-4333-8333-333333333333");
    wrong.set("CONSUL_HTTP_ADDR", &servers.consul.address);
    wrong.set("CONSUL_HTTP_TOKEN", &tokens[1]);
    let errors = wrong.try_apply().failed();
    let text = format!("{}\n{}", errors[0].summary, errors[0].detail);
    assert!(text.contains("Nomad") && text.contains("token"), "{text}");
    assert!(!text.contains("33333333"), "{text}");

    wrong.set("NOMAD_TOKEN", &tokens[0]);
    wrong.set("CONSUL_HTTP_TOKEN", "44444444-4444-4444-8444-444444444444");
    let errors = wrong.try_apply().failed();
    let text = format!("{}\n{}", errors[0].summary, errors[0].detail);
    assert!(text.contains("Consul") && text.contains("token"), "{text}");
    work.destroy();
}

#[test]
fn mutual_tls_works_and_a_mismatch_is_told() {
    let servers = Servers::start(Options {
        tls: true,
        mutual_tls: true,
        ..Options::default()
    });
    let configuration = application("sealed", &yearly("job", PART));
    let work = Workspace::new(&servers, &configuration);
    work.apply();
    work.plan().assert_empty();

    // Another authority, no authority, no client certificate, plain HTTP to an HTTPS port.
    let strangers = tempfile::tempdir().unwrap();
    super::support::certificates::Authority::new(strangers.path(), "strangers");
    let stranger = strangers.path().join("strangers-ca.pem");
    let ours = servers.folder().join("tests-ca.pem");
    let plain = servers.nomad.address.replace("https:", "http:");
    for (what, address, authority) in [
        ("another authority", &servers.nomad.address, Some(&stranger)),
        ("no authority", &servers.nomad.address, None),
        ("no client certificate", &servers.nomad.address, Some(&ours)),
        ("plain HTTP", &plain, None),
    ] {
        let mut wrong = Workspace::bare(&application("unsealed", &yearly("job", PART)));
        wrong.set("NOMAD_ADDR", address);
        if let Some(authority) = authority {
            wrong.set("NOMAD_CACERT", authority.to_str().unwrap());
        }
        let client = servers.client.as_ref().unwrap();
        wrong.set("CONSUL_HTTP_ADDR", &servers.consul.address);
        wrong.set("CONSUL_CACERT", ours.to_str().unwrap());
        wrong.set("CONSUL_CLIENT_CERT", client.certificate.to_str().unwrap());
        wrong.set("CONSUL_CLIENT_KEY", client.key.to_str().unwrap());
        let errors = wrong.try_apply().failed();
        let text = format!("{}\n{}", errors[0].summary, errors[0].detail);
        assert!(text.contains("Nomad"), "{what}: {text}");
        // What a server that wants TLS makes of plain HTTP differs; where it is, is said anyway.
        assert!(
            text.contains("TLS") || text.contains("certificate") || text.contains(&plain),
            "{what}: {text}"
        );
    }

    // The environment's variables carry all of it.
    let mut right = Workspace::bare(&configuration);
    let client = servers.client.as_ref().unwrap();
    for (server, address, prefix) in [
        ("NOMAD", &servers.nomad.address, "NOMAD_ADDR"),
        ("CONSUL", &servers.consul.address, "CONSUL_HTTP_ADDR"),
    ] {
        right.set(prefix, address);
        right.set(&format!("{server}_CACERT"), ours.to_str().unwrap());
        right.set(
            &format!("{server}_CLIENT_CERT"),
            client.certificate.to_str().unwrap(),
        );
        right.set(
            &format!("{server}_CLIENT_KEY"),
            client.key.to_str().unwrap(),
        );
    }
    std::fs::copy(
        work.folder().join("terraform.tfstate"),
        right.folder().join("terraform.tfstate"),
    )
    .unwrap();
    right.plan().assert_empty();
    work.destroy();
}

#[test]
fn unknown_provider_settings_cost_no_call() {
    let servers = servers();
    let (nomad, consul) = (
        Proxy::start(&servers.nomad.address),
        Proxy::start(&servers.consul.address),
    );
    let work = Workspace::bare(&format!(
        r#"
        resource "terraform_data" "nomad" {{ input = "{}" }}
        resource "terraform_data" "consul" {{ input = "{}" }}
        provider "oam" {{
          nomad {{ address = terraform_data.nomad.output }}
          consul {{ address = terraform_data.consul.output }}
        }}
        {}"#,
        nomad.address,
        consul.address,
        application("late-servers", &yearly("job", PART))
    ));
    let plan = work.plan();
    assert_eq!(plan.actions(ADDRESS), ["create"]);
    assert_eq!((nomad.take_seen(), consul.take_seen()), (vec![], vec![]));
    work.apply_plan(&plan).succeeded();
    assert!(servers.nomad.job("default", "late-servers-job").is_some());
    assert!(!nomad.take_seen().is_empty());
    work.plan().assert_empty();
    work.destroy();
}

#[test]
fn unknown_component_fields_stay_unknown_until_apply() {
    let servers = servers();
    let work = Workspace::new(
        servers,
        &format!(
            "resource \"terraform_data\" \"later\" {{ input = \"known-late\" }}\n{}",
            application(
                "late-fields",
                &yearly(
                    "job",
                    &format!(
                        "{PART}\n env = {{ A = terraform_data.later.output, B = \"now\" }}\n args = [terraform_data.later.output]"
                    )
                )
            )
        ),
    );
    let plan = work.plan();
    let change = plan.change(ADDRESS);
    assert_eq!(at(&change["after_unknown"], "/component/job/env/A"), true);
    assert_eq!(at(&change["after"], "/component/job/env/B"), "now");
    work.apply_plan(&plan).succeeded();
    let job = servers.nomad.job("default", "late-fields-job").unwrap();
    let task = at(&job, "/TaskGroups/0/Tasks/0");
    assert_eq!(at(task, "/Env/A"), "known-late");
    assert_eq!(at(task, "/Config/args/0"), "known-late");
    work.plan().assert_empty();
    work.destroy();
}

#[test]
fn a_value_that_turns_out_bad_at_apply_is_told_before_anything_is_done() {
    let servers = servers();
    let work = Workspace::new(
        servers,
        &format!(
            "resource \"terraform_data\" \"later\" {{ input = \"lots\" }}\n{}",
            application(
                "late-mistake",
                &yearly(
                    "job",
                    &format!("{PART}\n resources {{ cpu = terraform_data.later.output }}")
                )
            )
        ),
    );
    let errors = work.try_apply().failed();
    let text = format!("{}\n{}", errors[0].summary, errors[0].detail);
    assert!(text.contains("lots"), "{text}");
    assert_eq!(servers.nomad.job("default", "late-mistake-job"), None);
    assert_eq!(
        servers.consul.record("oam", "default", "late-mistake"),
        None
    );
}
