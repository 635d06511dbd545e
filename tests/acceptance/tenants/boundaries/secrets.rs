//! Secrets in Vault and keys in Consul: what applications name, and what tasks get with their own
//! identities.

use super::*;
use crate::support::vault::LOGIN;
use crate::yearly;

#[test]
fn secrets_and_keys_of_others_are_refused_at_the_plan() {
    let (servers, prefix) = (servers(), "bs");
    let owner = workspace(
        servers,
        prefix,
        &(tenant("bsacme", "") + &tenant("bsbeta", "")),
    );
    owner.apply();
    let block =
        |text: &str| format!("vault_secret \"{text}\" {{\n      env = {{ a = \"A\" }}\n    }}");
    let from = |text: &str| {
        format!(
            "env_from \"A\" {{\n      vault_secret {{\n        path = \"{text}\"\n        field = \"a\"\n      }}\n    }}"
        )
    };
    let pull = |text: &str| format!("image_pull_secret = \"{text}\"");
    let key = |text: &str| {
        format!(
            "env_from \"A\" {{\n      consul_key {{\n        key = \"{text}\"\n      }}\n    }}"
        )
    };
    let with = |tenant: &str, all: &[String]| {
        let all = all.iter().enumerate();
        let all: String = all
            .map(|(n, more)| yearly(&format!("c{n}"), &format!("image = \"a:1\"\n    {more}")))
            .collect();
        application("bs-shop", tenant, &all)
    };
    let theirs = ["secret/data/bsbeta/db", "secret/bsbeta/db"];
    let outside = [
        "secret/data/db",
        "plain/bsacme/db",
        "secret/metadata/bsacme/db",
    ];
    let work = workspace(servers, prefix, "");
    for (tenant, paths, keys) in [
        (
            "bsacme",
            [&theirs[..], &outside].concat(),
            vec![
                "bsbeta/motd",
                "motd",
                "bs/tenants/bsbeta",
                "bs/applications/bsacme/x",
            ],
        ),
        (
            "",
            theirs.to_vec(),
            vec!["bsbeta/motd", "bs/tenants/bsbeta", "bs/domains"],
        ),
        (
            "bsnobody",
            theirs.to_vec(),
            vec!["bsacme/motd", "bs/tenants/bsbeta"],
        ),
    ] {
        let mut all = Vec::new();
        let mut wanted = Vec::new();
        for path in paths {
            all.extend([block(path), from(path), pull(path)]);
            wanted.extend([
                format!("vault_secret {path:?} {{"),
                format!("path = {path:?}"),
                format!("image_pull_secret = {path:?}"),
            ]);
        }
        for text in keys {
            all.push(key(text));
            wanted.push(format!("key = {text:?}"));
        }
        wanted.sort();
        work.change(&with(tenant, &all));
        assert_eq!(lines(&work.try_plan()), wanted, "{tenant}");
    }
    // What would mean something to whoever reads it is no path at all.
    for text in [
        "bsacme/../bsbeta/db",
        "bsacme/./db",
        "bsacme//db",
        "bsacme/%2e%2e/bsbeta",
        "bsacme/*",
        "bsacme/db?version=1",
        "bsacme/{{env}}",
    ] {
        let path = format!("secret/data/{text}");
        work.change(&with(
            "bsacme",
            &[block(&path), from(&path), pull(&path), key(text)],
        ));
        assert_eq!(work.validate().len(), 4, "{text}");
    }
    work.change(&with("bsacme", &[key("bsacme/motd@dc2")]));
    assert_eq!(work.validate().len(), 1);
    nothing(servers, prefix, "bs-shop");
    owner.destroy();
}

/// Two tenants, each with a secret and a key, on servers that deny by default.
fn two(prefix: &str) -> (crate::support::Workspace, String, String) {
    let servers = guarded();
    let (acme, beta) = (format!("{prefix}acme"), format!("{prefix}beta"));
    let owner = workspace(servers, prefix, &(tenant(&acme, "") + &tenant(&beta, "")));
    owner.apply();
    for name in [&acme, &beta] {
        let secret = json!({ "password": format!("secret of {name}") });
        servers.vault().write(&format!("{name}/db"), &secret);
        servers
            .consul
            .write_key(&format!("{name}/motd"), &format!("words of {name}"));
    }
    (owner, acme, beta)
}

#[test]
fn an_application_gets_its_tenants_secrets_with_its_tenants_role() {
    let (servers, prefix) = (guarded(), "br");
    let (owner, acme, _) = two(prefix);
    let more = format!(
        r#"vault_secret "secret/data/{acme}/db" {{
      env = {{ password = "PASSWORD" }}
    }}
    env_from "MOTD" {{
      consul_key {{ key = "{acme}/motd" }}
    }}"#
    );
    let line = "echo $PASSWORD, $MOTD > $NOMAD_ALLOC_DIR/data/told; exec sleep 100000";
    let web = web("web", &more).replace(
        r#"["/bin/sleep", "100000"]"#,
        &format!(r#"["/bin/sh", "-c", "{line}"]"#),
    );
    let work = workspace(servers, prefix, &application("br-shop", &acme, &web));
    work.apply();
    assert_eq!(
        file(servers, &acme, "br-shop-web", "told"),
        format!("secret of {acme}, words of {acme}")
    );
    let job = servers.nomad.job(&acme, "br-shop-web").unwrap();
    let task = &job["TaskGroups"][0]["Tasks"][0];
    assert_eq!(task["Vault"]["Role"], format!("{prefix}-{acme}"));
    work.plan().assert_empty();
    // Another role is another's doing, and is put right.
    servers.nomad.edit(&acme, "br-shop-web", |job| {
        job["TaskGroups"][0]["Tasks"][0]["Vault"]["Role"] = json!("nomad-workloads");
    });
    let plan = work.plan();
    assert_eq!(plan.actions("oam_application.it"), ["update"]);
    let drift = plan.change("oam_application.it")["before"]["drift"].to_string();
    assert!(drift.contains("Vault/Role"), "{drift}");
    work.apply();
    work.plan().assert_empty();
    work.destroy();
    owner.destroy();
}

/// Whoever may write jobs in a namespace can leave the provider out. Then it is the servers that say no.
#[test]
fn a_task_gets_nothing_of_another_tenants_with_its_own_identity() {
    let (servers, prefix) = (guarded(), "bi");
    let (owner, acme, beta) = two(prefix);
    let (vault, consul) = (servers.vault(), &servers.consul);
    let get = reqwest::Method::GET;
    let put = reqwest::Method::PUT;
    let role = |name: &str| format!("{prefix}-{name}");
    for (own, other) in [(&acme, &beta), (&beta, &acme)] {
        // Vault: the role of another namespace lets nobody in, and its own role reads its own folder.
        let jwt = identity(servers, own, "vault.io");
        let login = |role: &str| {
            let body = json!({ "role": role, "jwt": jwt }).to_string();
            let path = format!("/v1/auth/{LOGIN}/login");
            vault
                .with_token(None)
                .ask(put.clone(), &path, Some(body))
                .unwrap()
        };
        let refused = login(&role(other));
        assert!(refused.status >= 400, "{}", refused.body);
        assert!(refused.body.contains("nomad_namespace"), "{}", refused.body);
        let token = login(&role(own)).json();
        let token = token["auth"]["client_token"].as_str().unwrap().to_owned();
        let mine = vault.with_token(Some(&token));
        let secret = mine.get(&format!("/v1/secret/data/{own}/db"));
        assert_eq!(
            secret["data"]["data"]["password"],
            format!("secret of {own}")
        );
        for path in [
            format!("secret/data/{other}/db"),
            format!("secret/data/{own}/../{other}/db"),
            format!("secret/data/{own}/%2e%2e/{other}/db"),
            format!("secret/metadata/{other}/?list=true"),
            "secret/metadata/?list=true".to_owned(),
            "sys/policies/acl?list=true".to_owned(),
            format!("auth/{LOGIN}/role/{}", role(own)),
        ] {
            let answer = mine.ask(get.clone(), &format!("/v1/{path}"), None);
            assert!(denied(answer), "{own}: {path}");
        }
        let write = json!({ "data": { "password": "x" } }).to_string();
        let path = format!("/v1/secret/data/{own}/db");
        assert!(denied(mine.ask(put.clone(), &path, Some(write))), "{own}");

        // Consul: the role of the tenant's tasks.
        let jwt = identity(servers, own, "consul.io");
        let body = json!({ "AuthMethod": "nomad-workloads", "BearerToken": jwt });
        let token = consul.with_token(None).post("/v1/acl/login", &body).json();
        let mine = consul.with_token(token["SecretID"].as_str());
        let key = mine.must(get.clone(), &format!("/v1/kv/{own}/motd?raw"), None);
        assert_eq!(key.body, format!("words of {own}"));
        for path in [
            format!("{other}/motd"),
            format!("{prefix}/tenants/{own}"),
            format!("{prefix}/domains"),
            format!("{prefix}/applications/{own}/x"),
        ] {
            let answer = mine.ask(get.clone(), &format!("/v1/kv/{path}"), None);
            assert!(denied(answer), "{own}: {path}");
        }
        for path in [format!("{own}/motd"), format!("{other}/motd")] {
            let answer = mine.ask(put.clone(), &format!("/v1/kv/{path}"), Some("x".to_owned()));
            assert!(denied(answer), "{own}: {path}");
        }
        for name in [format!("{own}-x"), format!("{other}-x")] {
            let service = json!({ "Name": name, "Port": 1 }).to_string();
            let answer = mine.ask(put.clone(), "/v1/agent/service/register", Some(service));
            assert!(denied(answer), "{own}: {name}");
        }
        consul.delete(&format!(
            "/v1/acl/token/{}",
            token["AccessorID"].as_str().unwrap()
        ));
    }
    owner.destroy();
}

/// A tenant's further namespaces are those of scopes. Nobody's namespace that only looks like one is.
#[test]
fn a_task_in_a_scopes_namespace_reads_what_its_tenants_tasks_do() {
    let (servers, prefix) = (guarded(), "bm");
    let (owner, acme, beta) = two(prefix);
    let consul = &servers.consul;
    let further = [format!("{acme}-more"), format!("{beta}-{acme}-more")];
    let scopes: String = further
        .iter()
        .map(|name| {
            format!(
                "resource \"oam_namespace_scope\" \"{name}\" {{\n  name = \"{name}\"\n  namespace = \
                 \"{name}\"\n  create = true\n}}\n"
            )
        })
        .collect();
    let line = "echo $MOTD > $NOMAD_ALLOC_DIR/data/told; exec sleep 100000";
    let more =
        format!("env_from \"MOTD\" {{\n      consul_key {{ key = \"{acme}/motd\" }}\n    }}");
    let web = web("web", &more).replace(
        r#"["/bin/sleep", "100000"]"#,
        &format!(r#"["/bin/sh", "-c", "{line}"]"#),
    );
    let refer = format!("  scopes = [oam_namespace_scope.{}.id]\n{web}", further[0]);
    let work = workspace(
        servers,
        prefix,
        &(scopes + &application("bm-shop", &acme, &refer)),
    );
    work.apply();
    assert_eq!(
        file(servers, &further[0], "bm-shop-web", "told"),
        format!("words of {acme}")
    );
    work.plan().assert_empty();

    let others = [format!("x{acme}-more"), format!("{acme}x-more")];
    for namespace in &others {
        servers.nomad.namespace(namespace);
    }
    let login = |namespace: &str| {
        let jwt = identity(servers, namespace, "consul.io");
        let body = json!({ "AuthMethod": "nomad-workloads", "BearerToken": jwt }).to_string();
        let answer =
            consul
                .with_token(None)
                .ask(reqwest::Method::POST, "/v1/acl/login", Some(body));
        let answer = answer.unwrap();
        (answer.status == 200).then(|| answer.json())
    };
    let words = |token: &Value, tenant: &str| {
        let mine = consul.with_token(token["SecretID"].as_str());
        let path = format!("/v1/kv/{tenant}/motd?raw");
        mine.ask(reqwest::Method::GET, &path, None).unwrap()
    };
    for (namespace, own, other) in [(&further[0], &acme, &beta), (&further[1], &beta, &acme)] {
        let token = login(namespace).unwrap();
        assert_eq!(words(&token, own).body, format!("words of {own}"));
        assert_eq!(words(&token, other).status, 403, "{namespace}");
        let accessor = token["AccessorID"].as_str().unwrap();
        consul.delete(&format!("/v1/acl/token/{accessor}"));
    }
    for namespace in &others {
        let token = login(namespace);
        if let Some(token) = token {
            for tenant in [&acme, &beta] {
                assert_eq!(words(&token, tenant).status, 403, "{namespace}");
            }
        }
    }
    work.destroy();
    for namespace in &others {
        servers.nomad.delete(&format!("/v1/namespace/{namespace}"));
    }
    owner.destroy();
}

/// A job by hand that asks for another tenant's role does not start.
#[test]
fn a_job_with_another_tenants_role_does_not_start() {
    let (servers, prefix) = (guarded(), "bj");
    let (owner, acme, beta) = two(prefix);
    let job = |id: &str, role: &str, secret: &str| {
        let line = "cp ${NOMAD_SECRETS_DIR}/db ${NOMAD_ALLOC_DIR}/data/db; exec sleep 100000";
        let mut job = by_hand(&acme, id, line);
        let task = &mut job["TaskGroups"][0]["Tasks"][0];
        task["Vault"] = json!({ "Role": format!("{prefix}-{role}") });
        let text = format!(
            "{{{{ with secret \"secret/data/{secret}/db\" }}}}{{{{ .Data.data.password }}}}{{{{ end }}}}\n"
        );
        task["Templates"] = json!([{ "EmbeddedTmpl": text, "DestPath": "secrets/db" }]);
        servers.nomad.register(&job);
    };
    job("bj-good", &acme, &acme);
    job("bj-role", &beta, &beta);
    assert_eq!(
        file(servers, &acme, "bj-good", "db"),
        format!("secret of {acme}")
    );
    let events = eventually("the job has failed", || {
        let all = servers.nomad.allocations(&acme, "bj-role");
        let state = &all.first()?["TaskStates"]["probe"];
        (state["Failed"] == true).then(|| state["Events"].to_string())
    });
    assert!(events.to_lowercase().contains("vault"), "{events}");
    assert!(!events.contains("\"Started\""), "{events}");
    for id in ["bj-good", "bj-role"] {
        servers.nomad.stop(&acme, id, true);
    }
    owner.destroy();
}
