//! Components in networks of their own.

use super::support::{Workspace, docker, eventually};
use super::{BRIDGE, application, at, containers, destroy, get, instances, platform, web};
use serde_json::json;
use std::collections::BTreeSet;

#[test]
fn replicas_serve_beside_each_other_and_roll() {
    let Some(servers) = platform() else { return };
    let configuration = |image: &str, greeting: &str| {
        let web = web(
            "web",
            &format!(
                r#"
    env_from "GREETING" {{
      consul_key {{ key = "bridged/{greeting}" }}
    }}
    scaler {{ replicas = 2 }}
    health_check {{
      path     = "/"
      interval = "1s"
      timeout  = "1s"
    }}"#
            ),
        );
        let web = web.replace(docker::WEB, image).replace(
            "COMPONENT = \"web\"",
            "COMPONENT = \"web-$${NOMAD_ALLOC_INDEX}\"",
        );
        application("bridged", &format!("{BRIDGE}{web}"))
    };
    servers.consul.write_key("bridged/one", "hello");
    servers.consul.write_key("bridged/two", "hello again");
    let work = Workspace::new(servers, &configuration(docker::WEB, "one"));
    work.apply();

    // The apply waited for the checks, so both are in the catalog by now, each at a port of its own.
    let answers = || -> BTreeSet<String> {
        let all = instances(servers, "bridged-web").into_iter();
        all.map(|address| {
            let answer = get(address, "/hello").expect("the instance answers");
            assert_eq!(answer.status, 200);
            answer.body.lines().next().unwrap().to_owned()
        })
        .collect()
    };
    let both: BTreeSet<_> = ["component=web-0", "component=web-1"]
        .map(str::to_owned)
        .into();
    assert_eq!(answers(), both);
    let job = servers.nomad.job("default", "bridged-web").unwrap();
    assert_eq!(at(&job, "/TaskGroups/0/Networks/0/Mode"), "bridge");
    work.plan().assert_empty();

    // Another image under another name.
    work.change(&configuration(docker::WEB_2, "one"));
    let plan = work.plan();
    assert_eq!(plan.actions(super::ADDRESS), ["update"]);
    work.apply_plan(&plan).succeeded();
    assert_eq!(answers(), both);
    let images = || -> Vec<String> {
        let all = containers(servers, "bridged-web").into_iter();
        all.filter(|(_, name)| name.starts_with("web-"))
            .map(|(image, _)| image)
            .collect()
    };
    eventually("the containers of the old image are gone", || {
        (images() == [docker::WEB_2, docker::WEB_2]).then_some(())
    });
    work.plan().assert_empty();

    // Another variable.
    work.change(&configuration(docker::WEB_2, "two"));
    work.apply();
    for address in instances(servers, "bridged-web") {
        assert_eq!(get(address, "/env/GREETING").unwrap().body, "hello again\n");
    }
    let live = servers.nomad.job("default", "bridged-web").unwrap();
    assert_eq!(live["Version"], 2);
    work.plan().assert_empty();

    // What somebody else does to the network shows.
    servers.nomad.edit("default", "bridged-web", |job| {
        job["TaskGroups"][0]["Networks"][0]["DynamicPorts"][0]["To"] = json!(8081);
    });
    let plan = work.plan();
    let port = "/component/web/port/http/port";
    assert_eq!(
        at(plan.change(super::ADDRESS), &format!("/before{port}")),
        8081
    );
    work.apply_plan(&plan).succeeded();
    work.plan().assert_empty();

    destroy(servers, &work, "bridged");
    eventually("no container is left", || {
        containers(servers, "bridged-web").is_empty().then_some(())
    });
    servers.consul.delete("/v1/kv/bridged?recurse");
}
