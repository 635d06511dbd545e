//! Attempts to be served for another tenant's host, or beside one's own path, through a real Traefik: what the
//! provider takes is served for its own alone, and what it refuses is said at its place.

use super::support::terraform::Diagnostic;
use super::support::{Servers, Workspace, eventually};
use super::{BRIDGE, application, platform, web};

const VICTIM: &str = "shop.acme.rules.example.com";
const OWN: &str = "shop.beta.rules.example.com";

fn tenant(name: &str, domain: &str) -> String {
    format!(
        "resource \"oam_tenant\" \"{name}\" {{\n  name = \"{name}\"\n  display_name = \"{name}\"\n  \
         domain = \"{domain}.rules.example.com\"\n}}\n"
    )
}

/// An application of a tenant with these components.
fn of(tenant: &str, name: &str, components: &[String]) -> String {
    let components = components.concat();
    application(
        name,
        &format!("  tenant = \"{tenant}\"\n{BRIDGE}{components}"),
    )
}

/// A component with an ingress, given as the lines in it and those after it.
fn routed(name: &str, ingress: &str, more: &str) -> String {
    web(
        name,
        &format!("ingress {{\n      {ingress}\n    }}\n    {more}"),
    )
}

/// The status, and the component that has answered.
fn asked(servers: &Servers, host: &str, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let reply = servers.traefik().ask(false, host, path, headers);
    let first = reply.body.lines().next().unwrap_or_default();
    let component = first.strip_prefix("component=").unwrap_or_default();
    (reply.status, component.to_owned())
}

fn served(component: &str) -> (u16, String) {
    (200, component.to_owned())
}

fn told(errors: &[Diagnostic]) -> String {
    let all = errors.iter();
    all.map(|it| format!("{}\n{}\n{}\n", it.summary, it.detail, it.code))
        .collect()
}

#[test]
fn another_tenants_host_is_served_by_its_own_application_alone() {
    let Some(servers) = platform() else { return };
    let owner = Workspace::new(
        servers,
        &(tenant("ruleacme", "acme") + &tenant("rulebeta", "beta")),
    );
    owner.apply();
    let host = |host: &str| format!("host = \"{host}\"");
    let victim = routed("victim", &host(VICTIM), "");
    let victim = Workspace::new(servers, &of("ruleacme", "rules-victim", &[victim]));
    victim.apply();

    // What is refused, and the line of the configuration at which.
    let own = host(OWN);
    let rule = format!("traefik.http.routers.hostile.rule=Host(`{VICTIM}`)");
    let tags = |tag: &str| format!("service_discovery {{\n      tags = [\"{tag}\"]\n    }}");
    let ingresses = [
        host(VICTIM),
        host(&VICTIM.to_uppercase()),
        host(&format!("{VICTIM}.")),
        host("*.acme.rules.example.com"),
        host("{sub:shop}.acme.rules.example.com"),
        host(&format!("{OWN},{VICTIM}")),
        host(&format!("{OWN}`, `{VICTIM}")),
        host(&format!("{OWN}`) || Host(`{VICTIM}")),
        host(&format!("{OWN}||{VICTIM}")),
        host(&format!("{OWN}\\\") || Host(\\\"{VICTIM}")),
        format!("{own}\n      path_prefix = \"/`) || Host(`{VICTIM}`) || PathPrefix(`/\""),
        format!("{own}\n      path_prefix = \"/)||Host({VICTIM})||PathPrefix(/\""),
        format!("{own}\n      path_prefix = \"/\\\") || Host(\\\"{VICTIM}\""),
        format!("{own}\n      middleware = [\"{rule}\"]"),
        format!("{own}\n      middleware = [\"mark@file,traefik.enable=true\"]"),
        format!("{own}\n      header = \"X-Forwarded-Host: {VICTIM}\""),
        format!("{own}\n      rule = \"Host(`{VICTIM}`)\""),
    ];
    let refused = ingresses.iter().map(|it| (it.clone(), String::new()));
    let tagged = [
        rule.as_str(),
        "traefik.http.routers.a.priority=1000",
        "traefik.enable",
    ];
    let tagged = tagged.iter().map(|tag| (own.clone(), tags(tag)));
    let attempt = Workspace::new(servers, "");
    for (ingress, more) in refused.chain(tagged) {
        let hostile = routed("hostile", &ingress, &more);
        attempt.change(&of("rulebeta", "rules-refused", &[hostile]));
        let errors = attempt.try_plan().failed();
        let told = told(&errors);
        let place = if more.is_empty() { &ingress } else { &more };
        let place = place.lines().rev().find(|line| line.contains('=')).unwrap();
        let field = place.split('=').next().unwrap().trim();
        assert!(
            errors.iter().any(|it| it.code.contains(field)),
            "{ingress} {more}: {told}"
        );
    }
    // Nor is it free for whoever has no tenant, or calls the application after another's.
    for (tenant, name, host) in [
        ("default", "rules-none", VICTIM),
        ("default", "ruleacme-rules", OWN),
    ] {
        let hostile = routed("victim", &format!("host = \"{host}\""), "");
        attempt.change(&of(tenant, name, &[hostile]).replace("tenant = \"default\"", ""));
        attempt.try_plan().failed();
    }

    // What is accepted, since it is no more than what it says.
    let quiet = "/)&&(Host(shop.acme.rules.example.com)";
    let below = format!("{VICTIM}.beta.rules.example.com");
    let hostile = [
        routed(
            "plain",
            &own,
            &tags(&format!("{VICTIM}\", \"traefik/enable")),
        ),
        // The provider puts its own tenant's name before it.
        routed(
            "below",
            &host(&below),
            "service_discovery {\n      service_name = \"ruleacme-rules-victim-victim\"\n    }",
        ),
        routed(
            "quiet",
            &format!("host = \"quiet.beta.rules.example.com\"\n      path_prefix = \"{quiet}\""),
            "",
        ),
        routed(
            "borrowed",
            &format!(
                "host = \"borrowed.beta.rules.example.com\"\n      middleware = [\"{VICTIM}@consulcatalog\", \"mark@file\"]"
            ),
            "",
        ),
    ];
    let hostile = Workspace::new(servers, &of("rulebeta", "rules-hostile", &hostile));
    hostile.apply();
    eventually("Traefik serves all of them", || {
        let all = [
            asked(servers, VICTIM, "/", &[]) == served("victim"),
            asked(servers, OWN, "/", &[]) == served("plain"),
            asked(servers, &below, "/", &[]) == served("below"),
            asked(servers, "quiet.beta.rules.example.com", quiet, &[]) == served("quiet"),
        ];
        all.iter().all(|it| *it).then_some(())
    });
    for path in ["/", "/x", quiet, "/)", &format!("/{OWN}")] {
        for headers in [
            &[][..],
            &[("x-forwarded-host", OWN), ("x-forwarded-prefix", quiet)],
            &[
                ("forwarded", "host=shop.beta.rules.example.com"),
                ("x-host", OWN),
            ],
        ] {
            assert_eq!(
                asked(servers, VICTIM, path, headers),
                served("victim"),
                "{path} {headers:?}"
            );
        }
    }
    let forwarded = [("x-forwarded-host", VICTIM)];
    assert_eq!(asked(servers, OWN, "/", &forwarded), served("plain"));
    for (host, path) in [
        ("other.acme.rules.example.com", "/"),
        ("other.acme.rules.example.com", quiet),
        ("quiet.beta.rules.example.com", "/"),
        ("quiet.beta.rules.example.com", "/)"),
        // A middleware that is not there closes the router.
        ("borrowed.beta.rules.example.com", "/"),
    ] {
        let (status, component) = asked(servers, host, path, &[]);
        assert_eq!((status, component.as_str()), (404, ""), "{host} {path}");
    }
    hostile.destroy();
    victim.destroy();
    owner.destroy();
}

#[test]
fn a_path_is_served_as_it_is_written_and_nothing_else() {
    let Some(servers) = platform() else { return };
    let host = "paths.boxes.example.com";
    let paths = [
        ("round", "/a(b)"),
        ("params", "/c;d=1:e@f"),
        ("marks", "/~g!h*i+j&k"),
        ("sweet", "/süß"),
        ("deep", "/q.r/s-t_u/"),
    ];
    let components: Vec<_> = paths
        .iter()
        .map(|(name, path)| {
            let strip = if *name == "round" {
                "\n      strip_prefix = true"
            } else {
                ""
            };
            routed(
                name,
                &format!("host = \"{host}\"\n      path_prefix = \"{path}\"{strip}"),
                "",
            )
        })
        .collect();
    let whole = format!("{BRIDGE}{}", components.concat());
    let work = Workspace::new(servers, &application("routed-paths", &whole));
    work.apply();
    eventually("Traefik serves all of them", || {
        let mut all = paths.iter();
        all.all(|(name, path)| asked(servers, host, path, &[]) == served(name))
            .then_some(())
    });
    for (name, path) in paths {
        assert_eq!(
            asked(servers, host, &format!("{path}/more"), &[]),
            served(name)
        );
        // Not without its end, and not anywhere below another path.
        let mut short = path.to_owned();
        short.pop();
        for other in [short, format!("/x{path}"), path.to_uppercase()] {
            assert_eq!(asked(servers, host, &other, &[]).0, 404, "{name}: {other}");
        }
    }
    let reply = servers.traefik().get(host, "/a(b)/more");
    assert_eq!(reply.body.lines().nth(1), Some("path=/more"));
    for path in [
        "/a|b(c)", "/a[b]", "/a%20b", "/a^b", "/a<b>", "/a?b", "/a#b", "/a//b", "/./a", "/a/",
    ] {
        let ingress = format!("host = \"{host}\"\n      path_prefix = \"{path}\"");
        let one = format!("{BRIDGE}{}", routed("round", &ingress, ""));
        work.change(&application("routed-paths", &one));
        let errors = work.validate();
        let refused = errors.iter().any(|it| it.code.contains("path_prefix"));
        assert_eq!(refused, path != "/a/", "{path}: {}", told(&errors));
    }
    work.change(&application("routed-paths", &whole));
    super::destroy(servers, &work, "routed-paths");
}
