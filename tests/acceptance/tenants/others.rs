//! Tenants among others, and among what others have made.

use serde_json::json;

use super::{domains, find, guarded, made, namespace, record, tenant, text, there, workspace};
use crate::support::{Servers, servers};

/// Makes one of what a tenant would make, as somebody else. Gives what hands it over to the tenant.
fn by_hand(servers: &'static Servers, prefix: &str, name: &str, kind: &str) -> Box<dyn Fn()> {
    let slug = format!("{prefix}-{name}");
    let mark = format!(
        "Of the tenant {name}, made by terraform-provider-oam with the Consul key prefix {prefix}"
    );
    let (nomad, consul, vault) = (&servers.nomad, &servers.consul, servers.vault());
    match kind {
        "namespace" => {
            nomad.namespace(name);
            let path = format!("/v1/namespace/{name}");
            let meta = json!({ "oam.tenant": name, "oam.prefix": prefix });
            let marked = json!({ "Name": name, "Meta": meta });
            Box::new(move || drop(nomad.put(&path, &marked)))
        }
        "nomad_policy" => {
            nomad.policy(&slug, "");
            let path = format!("/v1/acl/policy/{slug}");
            let marked = json!({ "Name": slug, "Description": mark });
            Box::new(move || drop(nomad.put(&path, &marked)))
        }
        "vault_policy" => {
            vault.rules(&slug, "path \"x\" { capabilities = [\"read\"] }");
            Box::new(move || vault.rules(&slug, &format!("# {mark}\n")))
        }
        "vault_role" => {
            vault.role(&slug, &["default"], &json!({}));
            let (path, slug) = (format!("/v1/auth/jwt-nomad/role/{slug}"), slug);
            Box::new(move || {
                drop(vault.delete(&path));
                vault.role(&slug, &[&slug], &json!({}));
            })
        }
        _ => {
            let part = match kind {
                "consul_role" => "role",
                _ => "policy",
            };
            let called = match kind {
                "consul_role" => format!("nomad-{name}-tasks"),
                "consul_tasks_policy" => format!("{slug}-tasks"),
                _ => slug,
            };
            let path = format!("/v1/acl/{part}");
            let answer = consul.put(&path, &json!({ "Name": called })).json();
            let path = format!("{path}/{}", answer["ID"].as_str().unwrap());
            let marked = json!({ "Name": called, "Description": mark });
            Box::new(move || drop(consul.put(&path, &marked)))
        }
    }
}

#[test]
fn what_others_have_made_is_left_until_they_hand_it_over() {
    let (servers, prefix) = (guarded(), "to");
    // A binding rule has no name that another one could have.
    let named = made(prefix, "any").map(|(kind, _)| kind).into_iter();
    let named = named.filter(|kind| *kind != "consul_binding_rule");
    for (index, kind) in named.enumerate() {
        let name = format!("toacme{index}");
        let hand_over = by_hand(servers, prefix, &name, kind);
        let all = made(prefix, &name);
        let (_, path) = all.iter().find(|(it, _)| *it == kind).unwrap();
        let plain = |mut value: serde_json::Value| {
            value.as_object_mut().unwrap().remove("request_id");
            value
        };
        let before = plain(find(servers, kind, path).unwrap());
        let work = workspace(servers, prefix, &tenant(&name, ""));
        let told = text(&work.try_apply().failed());
        assert!(told.contains("already exists"), "{kind}: {told}");
        assert_eq!(plain(find(servers, kind, path).unwrap()), before, "{kind}");
        assert_eq!(there(servers, prefix, &name), [kind]);
        assert_eq!(record(servers, prefix, &name), None);
        hand_over();
        work.apply();
        work.plan().assert_empty();
        work.destroy();
        assert_eq!(there(servers, prefix, &name), Vec::<&str>::new());
    }
}

#[test]
fn two_providers_at_the_same_servers_do_not_share_a_tenant() {
    let servers = servers();
    let one = workspace(servers, "tp/one", &tenant("tpacme", ""));
    one.apply();
    let two = workspace(servers, "tp/two", &tenant("tpacme", ""));
    let told = text(&two.try_apply().failed());
    assert!(told.contains("key prefix tp/one"), "{told}");
    assert_eq!(record(servers, "tp/two", "tpacme"), None);
    one.plan().assert_empty();
    one.destroy();
}

#[test]
fn a_namespace_with_jobs_of_others_outlives_a_destroy() {
    let (servers, prefix, name) = (servers(), "tj", "tjacme");
    let work = workspace(servers, prefix, &tenant(name, ""));
    work.apply();
    let job = json!({
        "ID": "tj-other", "Name": "tj-other", "Namespace": name, "Type": "batch",
        "Datacenters": ["dc1"],
        "ParameterizedJob": {},
        "TaskGroups": [{ "Name": "g", "Tasks": [{
            "Name": "t", "Driver": "raw_exec", "Config": { "command": "/bin/true" } }] }],
    });
    servers.nomad.register(&job);
    let told = text(&work.run(&["destroy", "-json", "-auto-approve"]).failed());
    assert!(told.contains("not empty"), "{told}");
    assert_eq!(
        record(servers, prefix, name).unwrap()["phase"],
        "destroying"
    );
    assert!(namespace(servers, name).is_some());
    servers.nomad.stop(name, "tj-other", true);
    work.destroy();
    assert_eq!(namespace(servers, name), None);
    assert_eq!(record(servers, prefix, name), None);
}

#[test]
fn no_two_tenants_have_overlapping_domains() {
    let (servers, prefix) = (servers(), "tv");
    let one = workspace(
        servers,
        prefix,
        &tenant("tvone", "domain = \"tv.example.com\""),
    );
    one.apply();
    for domain in ["tv.example.com", "shop.TV.example.com", "example.com"] {
        let fields = format!("domain = \"{domain}\"");
        let two = workspace(servers, prefix, &tenant("tvtwo", &fields));
        let told = text(&two.try_plan().failed());
        assert!(told.contains("is the tenant tvone's"), "{told}");
        assert!(told.contains(&fields), "{told}");
    }
    // In one configuration, before either of them is there.
    let both = tenant("tvthree", "domain = \"tv3.example.com\"")
        + &tenant("tvfour", "domain = \"shop.tv3.example.com\"");
    let work = workspace(servers, prefix, &both);
    let told = text(&work.try_plan().failed());
    assert!(told.contains("is the tenant tv"), "{told}");
    assert_eq!(
        domains(servers, prefix),
        json!({ "tv.example.com": "tvone" })
    );
    // One goes over to another: first the one gives it away, then the other takes it.
    let swap = tenant("tvone", "domain = \"tv5.example.com\"")
        + &tenant(
            "tvtwo",
            "domain = \"tv.example.com\"\n  depends_on = [oam_tenant.tvone]",
        );
    one.change(&swap);
    one.apply();
    one.plan().assert_empty();
    assert_eq!(
        domains(servers, prefix),
        json!({ "tv5.example.com": "tvone", "tv.example.com": "tvtwo" })
    );
    one.destroy();
    assert_eq!(domains(servers, prefix), json!({}));
}

#[test]
fn of_two_that_apply_at_once_one_gets_the_domain() {
    let (servers, prefix) = (servers(), "tw");
    let names = ["twone", "twtwo", "twthree", "twfour"];
    let works: Vec<_> = names
        .iter()
        .map(|name| {
            let work = workspace(
                servers,
                prefix,
                &tenant(name, "domain = \"tw.example.com\""),
            );
            let plan = work.plan();
            (name, work, plan)
        })
        .collect();
    let won: Vec<_> = std::thread::scope(|threads| {
        let all: Vec<_> = works
            .iter()
            .map(|(name, work, plan)| {
                threads.spawn(move || {
                    let run = work.apply_plan(plan);
                    if run.code != Some(0) {
                        let told = text(&run.failed());
                        assert!(told.contains("domain"), "{told}");
                    }
                    (run.code == Some(0)).then_some(**name)
                })
            })
            .collect();
        all.into_iter()
            .filter_map(|it| it.join().unwrap())
            .collect()
    });
    assert_eq!(won.len(), 1, "{won:?}");
    assert_eq!(
        domains(servers, prefix),
        json!({ "tw.example.com": won[0] })
    );
    for (name, work, _) in &works {
        assert_eq!(
            namespace(servers, name).is_some(),
            won.contains(*name),
            "{name}"
        );
        if won.contains(*name) {
            work.plan().assert_empty();
            work.destroy();
        }
    }
    assert_eq!(domains(servers, prefix), json!({}));
}

#[test]
fn names_that_differ_in_upper_and_lower_case_alone_are_too_much_alike() {
    let (servers, prefix) = (servers(), "tc");
    let one = workspace(servers, prefix, &tenant("tcacme", ""));
    one.apply();
    let two = workspace(servers, prefix, &tenant("TcAcme", ""));
    let told = text(&two.try_plan().failed());
    assert!(told.contains("too much like"), "{told}");
    one.destroy();
    two.apply();
    two.plan().assert_empty();
    two.destroy();
}
