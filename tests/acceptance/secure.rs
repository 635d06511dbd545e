//! All three servers deny by default and speak TLS of a private authority, with and without certificates
//! of clients.

use serde_json::{Value, json};

use super::at;
use super::support::terraform::provider_block_with;
use super::support::{Options, Role, Servers, Workspace, eventually};

/// A tenant, and an application of it whose task writes down a secret of Vault's and a key of Consul's,
/// and has a service in Consul.
const TENANT: &str = r#"
resource "oam_tenant" "acme" {
  name         = "acme"
  display_name = "ACME"
  domain       = "acme.example.com"
}

resource "oam_application" "it" {
  name   = "sealed"
  tenant = oam_tenant.acme.name
  component "web" {
    type    = "webservice"
    driver  = "raw_exec"
    command = ["/bin/sh", "-c", "echo \"$WORD $GREETING\" >> $NOMAD_ALLOC_DIR/words; sleep 100000"]
    port "http" {
      port = 80
    }
    ingress {
      host = "shop.acme.example.com"
    }
    vault_secret "secret/data/acme/db" {
      env = { word = "WORD" }
    }
    env_from "GREETING" {
      consul_key { key = "acme/greeting" }
    }
  }
}
"#;

/// What the task has written.
fn words(servers: &Servers) -> Option<String> {
    let nomad = &servers.nomad;
    let allocation = nomad.allocations("acme", "sealed-web").into_iter().next()?;
    let path = format!(
        "/v1/client/fs/cat/{}?path=alloc/words&namespace=acme",
        allocation["ID"].as_str()?
    );
    let answer = nomad.ask(reqwest::Method::GET, &path, None)?;
    (answer.status == 200 && !answer.body.is_empty()).then_some(answer.body)
}

fn a_tenant_and_its_application_live(mutual_tls: bool) {
    let servers = Servers::start(Options {
        acl: true,
        tls: true,
        mutual_tls,
        vault: true,
        ..Options::default()
    });
    servers
        .vault()
        .write("acme/db", &json!({ "word": "sesame" }));
    servers.consul.write_key("acme/greeting", "hello");
    let tokens = servers.tokens(Role::Everything, "oam");
    let block = provider_block_with(&servers, "oam", &tokens);
    let work = Workspace::bare(TENANT);
    work.write("provider.tf", &block);
    work.apply();
    work.plan().assert_empty();
    let role = servers.vault().get("/v1/auth/jwt-nomad/role/oam-acme");
    assert_eq!(at(&role, "/data/token_policies"), &json!(["oam-acme"]));
    let words = eventually("the task has written what it was given", || words(&servers));
    assert_eq!(words, "sesame hello\n");
    eventually("the service is in Consul's catalog", || {
        let registered = servers.consul.service("acme-sealed-web");
        (registered.len() == 1).then_some(())
    });

    // One server at a time does not get what it wants: it is named, with what to set.
    for (server, kind) in [("nomad", "Nomad"), ("consul", "Consul"), ("vault", "Vault")] {
        let mut settings = vec![("ca_file", "`ca_file`")];
        if mutual_tls {
            settings.push(("cert_file", "`cert_file`"));
        }
        for (setting, advice) in settings {
            work.write("provider.tf", &without(&block, server, setting));
            let errors = work.try_plan().failed();
            let told = format!("{}\n{}", errors[0].summary, errors[0].detail);
            assert!(told.contains(kind), "{server}, {setting}: {told}");
            assert!(told.contains(advice), "{server}, {setting}: {told}");
        }
    }
    work.write("provider.tf", &block);
    work.plan().assert_empty();

    // What a provider without client certificates needs comes from the environment as well.
    let mut other = Workspace::bare("");
    std::fs::copy(
        work.folder().join("terraform.tfstate"),
        other.folder().join("terraform.tfstate"),
    )
    .unwrap();
    other.change(TENANT);
    other.write("provider.tf", "provider \"oam\" {\n  vault {}\n}\n");
    let client = servers.client.as_ref().unwrap();
    for (name, address, token) in [
        (
            "NOMAD",
            ("NOMAD_ADDR", &servers.nomad.address),
            ("NOMAD_TOKEN", &tokens.nomad),
        ),
        (
            "CONSUL",
            ("CONSUL_HTTP_ADDR", &servers.consul.address),
            ("CONSUL_HTTP_TOKEN", &tokens.consul),
        ),
        (
            "VAULT",
            ("VAULT_ADDR", &servers.vault().address),
            ("VAULT_TOKEN", &tokens.vault),
        ),
    ] {
        other.set(address.0, address.1);
        other.set(token.0, token.1.as_deref().unwrap());
        let authority = servers.folder().join("tests-ca.pem");
        other.set(&format!("{name}_CACERT"), authority.to_str().unwrap());
        if mutual_tls {
            other.set(
                &format!("{name}_CLIENT_CERT"),
                client.certificate.to_str().unwrap(),
            );
            other.set(&format!("{name}_CLIENT_KEY"), client.key.to_str().unwrap());
        }
    }
    other.plan().assert_empty();
    other.destroy();
    assert_eq!(servers.nomad.job("acme", "sealed-web"), None);
    assert_eq!(
        servers.vault().find("/v1/auth/jwt-nomad/role/oam-acme"),
        None::<Value>
    );
}

/// The provider block without a setting of one server; without the certificate goes its key.
fn without(block: &str, server: &str, setting: &str) -> String {
    let mut inside = false;
    let lines = block.lines().filter(|line| {
        let line = line.trim();
        if line.ends_with('{') {
            inside = line.starts_with(server);
        }
        let gone = match setting {
            "cert_file" => line.starts_with("cert_file") || line.starts_with("key_file"),
            setting => line.starts_with(setting),
        };
        !(inside && gone)
    });
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn a_tenant_and_its_application_live_with_tls() {
    a_tenant_and_its_application_live(false);
}

#[test]
fn a_tenant_and_its_application_live_with_mutual_tls() {
    a_tenant_and_its_application_live(true);
}
