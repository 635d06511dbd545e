//! Requests from outside, through a real Traefik.

use super::support::traefik::Reply;
use super::support::{Workspace, eventually};
use super::{BRIDGE, destroy, platform, resource, web};

const JOE: [(&str, &str); 1] = [("authorization", "Basic am9lOnNlY3JldA==")];

#[test]
fn requests_reach_the_application_of_their_host_and_path() {
    let Some(servers) = platform() else { return };
    let shop = web(
        "web",
        r#"
    ingress {
      host         = "shop.boxes.example.com"
      path_prefix  = "/shop"
      strip_prefix = true
      middleware   = ["auth@file", "mark@file"]
    }"#,
    );
    let secured = web(
        "web",
        r#"
    ingress {
      host = "safe.boxes.example.com"
      tls  = true
    }"#,
    );
    let named = |component: &str, text: String| {
        text.replace(
            "COMPONENT = \"web\"",
            &format!("COMPONENT = \"{component}\""),
        )
    };
    let configuration = [
        resource(
            "shop",
            "routed-shop",
            &format!("{BRIDGE}{}", named("shop", shop)),
        ),
        resource(
            "safe",
            "routed-safe",
            &format!("{BRIDGE}{}", named("safe", secured)),
        ),
    ]
    .concat();
    let work = Workspace::new(servers, &configuration);
    work.apply();
    let traefik = servers.traefik();
    let body = |reply: &Reply| reply.body.lines().take(2).collect::<Vec<_>>().join(" ");
    let ask = |secure: bool, host: &str, path: &str| {
        traefik.ask(secure, &format!("{host}.boxes.example.com"), path, &JOE)
    };

    // A middleware of Traefik's own stands in front.
    eventually("Traefik asks for credentials", || {
        let reply = traefik.get("shop.boxes.example.com", "/shop");
        (reply.status == 401).then_some(())
    });
    let reply = ask(false, "shop", "/shop/cart?id=1");
    assert_eq!(
        (reply.status, body(&reply).as_str()),
        (200, "component=shop path=/cart?id=1")
    );
    assert_eq!(reply.headers["x-marked"], "yes");

    // HTTPS, with Traefik's own certificate, and there alone.
    let reply = eventually("Traefik serves the other", || {
        let reply = ask(true, "safe", "/shop/cart");
        (reply.status == 200).then_some(reply)
    });
    assert_eq!(body(&reply), "component=safe path=/shop/cart");
    assert!(!reply.headers.contains_key("x-marked"));

    for (secure, host, path) in [
        (false, "safe", "/"),
        (true, "shop", "/shop"),
        (false, "shop", "/other"),
        (false, "nobodys", "/shop"),
        (true, "nobodys", "/"),
    ] {
        let reply = ask(secure, host, path);
        assert_eq!(reply.status, 404, "{secure} {host} {path}: {}", reply.body);
    }
    work.plan().assert_empty();

    // A host that moves from one application to the other takes its requests along.
    work.change(&configuration.replace("safe.boxes", "fresh.boxes"));
    work.apply();
    eventually("the new host is served, and the old one is not", || {
        (ask(true, "fresh", "/").status == 200 && ask(true, "safe", "/").status == 404)
            .then_some(())
    });
    assert_eq!(ask(false, "shop", "/shop").status, 200);
    work.plan().assert_empty();
    destroy(servers, &work, "routed-shop");
    destroy(servers, &work, "routed-safe");
    eventually("Traefik serves neither", || {
        (ask(true, "fresh", "/").status == 404 && ask(false, "shop", "/shop").status == 404)
            .then_some(())
    });
}

/// The forms let through what means something in a rule outside of its quotes: inside of them it is a path.
#[test]
fn what_stands_in_a_path_is_no_rule() {
    let Some(servers) = platform() else { return };
    let path = "/)||Host(victim.boxes.example.com)||PathPrefix(/";
    let web = |name: &str, host: &str, more: &str| {
        let ingress =
            format!("ingress {{\n      host = \"{host}.boxes.example.com\"\n      {more}\n    }}");
        web(name, &ingress)
    };
    let hostile = web(
        "hostile",
        "hostile",
        &format!(
            "path_prefix = \"{path}\"\n    }}\n    service_discovery {{\n      tags = [\"victim.boxes.example.com\", \"traefik/enable\"]"
        ),
    );
    let configuration = [
        resource("hostile", "ruled-hostile", &format!("{BRIDGE}{hostile}")),
        resource(
            "victim",
            "ruled-victim",
            &format!("{BRIDGE}{}", web("victim", "victim", "")),
        ),
    ];
    let work = Workspace::new(servers, &configuration.concat());
    work.apply();
    let ask = |host: &str, path: &str| {
        let reply = servers
            .traefik()
            .get(&format!("{host}.boxes.example.com"), path);
        let first = reply.body.lines().next().unwrap_or_default().to_owned();
        (reply.status, first)
    };
    let of = |name: &str| (200, format!("component={name}"));
    eventually("Traefik serves both", || {
        let both = (ask("hostile", path), ask("victim", "/"));
        (both == (of("hostile"), of("victim"))).then_some(())
    });
    for path in [path, "/x", "/)"] {
        assert_eq!(ask("victim", path), of("victim"), "{path}");
        assert_eq!(ask("nobodys", path).0, 404, "{path}");
    }
    assert_eq!(ask("hostile", "/").0, 404);
    destroy(servers, &work, "ruled-hostile");
}
