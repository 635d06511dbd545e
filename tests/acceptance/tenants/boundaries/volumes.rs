//! Storage of the nodes, drivers without isolation, and names that come to the same.

use super::*;
use crate::yearly;

#[test]
fn what_is_on_a_node_is_no_tenants() {
    let (servers, prefix) = (servers(), "bv");
    let owner = workspace(servers, prefix, &tenant("bvacme", ""));
    owner.apply();
    let volume = |source: &str| {
        format!(
            "volume \"data\" {{\n      source = \"{source}\"\n      mount_path = \"/data\"\n    }}"
        )
    };
    let mount = "sidecar \"log\" {\n      image = \"log:1\"\n      volume {\n        \
                 source = \"/var/run\"\n        destination = \"/run\"\n      }\n    }";
    let with = |tenant: &str| {
        let boxed = |name: &str, more: &str| yearly(name, &format!("image = \"a:1\"\n    {more}"));
        let all = [
            boxed("one", &volume("data")),
            boxed("two", &volume("bvbeta-data")),
            boxed("three", mount),
        ];
        application("bv-shop", tenant, &all.concat())
    };
    let work = workspace(servers, prefix, &with("bvacme"));
    assert_eq!(
        lines(&work.try_plan()),
        [
            "source = \"/var/run\"",
            "source = \"bvbeta-data\"",
            "source = \"data\"",
        ]
    );
    nothing(servers, prefix, "bv-shop");
    work.change(&application(
        "bv-shop",
        "bvacme",
        &yearly(
            "one",
            &format!("image = \"a:1\"\n    {}", volume("bvacme-data")),
        ),
    ));
    work.plan();
    owner.destroy();
}

/// Which drivers a namespace allows is Nomad's: what it refuses, the plan shows, and no apply of the tenant
/// changes it.
#[test]
fn drivers_that_a_namespace_does_not_allow() {
    let (servers, prefix) = (servers(), "bd");
    let owner = workspace(servers, prefix, &tenant("bdacme", ""));
    owner.apply();
    let mut namespace = servers.nomad.get("/v1/namespace/bdacme");
    namespace["Capabilities"] = json!({ "DisabledTaskDrivers": ["raw_exec"] });
    servers.nomad.put("/v1/namespace/bdacme", &namespace);
    owner.plan().assert_empty();
    owner.change(&tenant("bdacme", "").replace("The bdacme", "Another"));
    owner.apply();
    let namespace = servers.nomad.get("/v1/namespace/bdacme");
    assert_eq!(namespace["Description"], "Another");
    assert_eq!(
        namespace["Capabilities"]["DisabledTaskDrivers"],
        json!(["raw_exec"])
    );
    let work = workspace(
        servers,
        prefix,
        &application("bd-shop", "bdacme", &web("web", "")),
    );
    let run = work.try_plan();
    assert_eq!(lines(&run), ["component \"web\" {"]);
    let told = text(&run.failed());
    assert!(told.contains("raw_exec"), "{told}");
    nothing(servers, prefix, "bd-shop");
    owner.destroy();
}

/// `a-b` with `c` and `a` with `b-c` would be one job: the first has it, and the second is refused.
#[test]
fn two_names_that_come_to_the_same_job() {
    let (servers, prefix) = (servers(), "bc");
    let owner = workspace(servers, prefix, &tenant("bcacme", ""));
    owner.apply();
    let with = |name: &str, component: &str, image: &str| {
        application(
            name,
            "bcacme",
            &yearly(component, &format!("image = \"{image}\"")),
        )
    };
    let first = workspace(servers, prefix, &with("bc-a", "b-c", "first:1"));
    first.apply();
    let second = workspace(servers, prefix, &with("bc-a-b", "c", "second:1"));
    let told = text(&second.try_apply().failed());
    assert!(told.contains("bc-a-b-c"), "{told}");
    let job = servers.nomad.job("bcacme", "bc-a-b-c").unwrap();
    assert_eq!(job["Meta"]["oam.application"], "bcacme/bc-a");
    assert_eq!(
        job["TaskGroups"][0]["Tasks"][0]["Config"]["image"],
        "first:1"
    );
    // Nor does the second take it away.
    second.destroy();
    assert!(servers.nomad.job("bcacme", "bc-a-b-c").is_some());
    first.plan().assert_empty();
    first.destroy();
    owner.destroy();
}

/// A service's name is also its router's in Traefik, and its place in the mesh.
#[test]
fn services_of_a_tenant_are_named_by_nobody_else() {
    let (servers, prefix) = (servers(), "be");
    let owner = workspace(servers, prefix, &tenant("beacme", ""));
    owner.apply();
    let work = workspace(
        servers,
        prefix,
        &application(
            "beacme-shop",
            "",
            &web("web", "ingress {\n      host = \"shop.example.com\"\n    }"),
        ),
    );
    assert_eq!(lines(&work.try_plan()), ["name = \"beacme-shop\""]);
    let named = |name: &str| {
        let more = format!("service_discovery {{\n      service_name = \"{name}\"\n    }}");
        application("be-shop", "", &web("web", &more))
    };
    work.change(&named("beacme-shop-web"));
    assert_eq!(
        lines(&work.try_plan()),
        ["service_name = \"beacme-shop-web\""]
    );
    work.change(&named("BEACME"));
    assert_eq!(work.validate().len(), 1);
    // A tenant that differs in letters alone has no services of its own.
    work.change(&application(
        "be-shop",
        "beAcme",
        &yearly("job", "image = \"a:1\""),
    ));
    assert_eq!(lines(&work.try_plan()), ["tenant = \"beAcme\""]);
    nothing(servers, prefix, "be-shop");
    owner.destroy();
}
