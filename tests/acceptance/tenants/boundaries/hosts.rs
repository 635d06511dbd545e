//! A host is one tenant's.

use super::*;

fn host(name: &str, host: &str) -> String {
    web(name, &format!("ingress {{\n      host = {host}\n    }}"))
}

fn quoted(name: &str, text: &str) -> String {
    host(name, &format!("{text:?}"))
}

#[test]
fn hosts_of_others_are_refused_at_the_plan() {
    let (servers, prefix) = (servers(), "bh");
    let domain = |name: &str| tenant(name, &format!("domain = \"{name}.example.com\""));
    let owner = workspace(
        servers,
        prefix,
        &(domain("bhacme") + &domain("bhbeta") + &tenant("bhfree", "")),
    );
    owner.apply();
    let bad = [
        "bhbeta.example.com",
        "shop.bhbeta.example.com",
        "Shop.BHBETA.example.com",
    ];
    let outside = [
        "example.com",
        "notbhacme.example.com",
        "bhacme.example.com.evil.org",
        "xn--bhacm-xxx.example.com",
    ];
    let inside = ["bhacme.example.com", "A.b.bhacme.example.com"];
    let mine = |hosts: &[&str], tenant: &str| {
        let all = hosts.iter().enumerate();
        let all: String = all
            .map(|(n, host)| quoted(&format!("c{n}"), host))
            .collect();
        application("bh-shop", tenant, &all)
    };
    let wanted = |hosts: &[&str]| {
        let mut lines: Vec<_> = hosts.iter().map(|it| format!("host = {it:?}")).collect();
        lines.sort();
        lines
    };
    // A tenant with a domain has that alone; the others have everything but what is somebody's.
    let acme = [&bad[..], &outside].concat();
    let work = workspace(servers, prefix, "");
    for (tenant, refused) in [
        ("bhacme", &acme[..]),
        ("bhfree", &bad),
        ("bhnobody", &bad),
        ("", &bad),
    ] {
        let all = match tenant {
            "bhacme" => [&bad[..], &outside, &inside].concat(),
            _ => [&bad[..], &outside].concat(),
        };
        work.change(&mine(&all, tenant));
        assert_eq!(lines(&work.try_plan()), wanted(refused), "{tenant}");
    }
    // What is no host at all needs no server.
    for host in [
        "*.bhacme.example.com",
        "bhacme.example.com.",
        "bhacme.example.com`) || Host(`bhbeta.example.com",
        "bhacme.example.com,bhbeta.example.com",
        "bhаcme.example.com",
    ] {
        work.change(&mine(&[host], "bhacme"));
        let errors: Vec<_> = work.validate().into_iter().map(|it| it.code).collect();
        assert_eq!(errors, wanted(&[host]), "{host}");
    }
    nothing(servers, prefix, "bh-shop");
    owner.destroy();
}

#[test]
fn a_manifest_gets_no_further() {
    let (servers, prefix) = (servers(), "bm");
    let owner = workspace(
        servers,
        prefix,
        &(tenant("bmacme", "domain = \"bmacme.example.com\"") + &tenant("bmbeta", "")),
    );
    owner.apply();
    let manifest = |tenant: &str| {
        format!(
            r#"resource "oam_application" "it" {{
  {tenant}
  manifest = <<-EOT
    apiVersion: core.oam.dev/v1alpha2
    kind: Application
    metadata: {{ name: bm-shop }}
    spec:
      components:
        - name: web
          type: webservice
          properties: {{ image: nginx, ports: [{{ name: http, port: 80 }}] }}
          traits:
            - type: ingress
              properties:
                host: shop.bmacme.example.com
  EOT
}}
"#
        )
    };
    let work = workspace(servers, prefix, "");
    for tenant in ["tenant = \"bmbeta\"", ""] {
        work.change(&manifest(tenant));
        let told = text(&work.try_plan().failed());
        assert!(told.contains("is another tenant's"), "{told}");
        assert!(told.contains("line 12"), "{told}");
    }
    nothing(servers, prefix, "bm-shop");
    owner.destroy();
}

#[test]
fn what_the_plan_did_not_know_is_refused_at_the_apply() {
    let (servers, prefix) = (servers(), "bl");
    let owner = workspace(
        servers,
        prefix,
        &tenant("blacme", "domain = \"blacme.example.com\""),
    );
    owner.apply();
    let late =
        |text: &str| format!("resource \"terraform_data\" \"h\" {{\n  input = \"{text}\"\n}}\n");
    let with = |text: &str| {
        late(text) + &application("bl-shop", "", &host("web", "terraform_data.h.output"))
    };
    let work = workspace(servers, prefix, &with("shop.blacme.example.com"));
    let told = text(&work.try_apply().failed());
    assert!(told.contains("is another tenant's"), "{told}");
    nothing(servers, prefix, "bl-shop");

    // A plan that was good when it was made, and is no more.
    work.change(&application(
        "bl-shop",
        "",
        &quoted("web", "shop.blnew.example.com"),
    ));
    let plan = work.plan();
    let more = |domain: &str| {
        tenant("blacme", "domain = \"blacme.example.com\"")
            + &tenant("blnew", &format!("domain = \"{domain}\""))
    };
    owner.change(&more("blnew.example.com"));
    owner.apply();
    let told = text(&work.apply_plan(&plan).failed());
    assert!(told.contains("is another tenant's"), "{told}");
    nothing(servers, prefix, "bl-shop");

    // And from the other side: a domain in which somebody has a host is not to be had.
    owner.change(&more("blother.example.com"));
    owner.apply();
    work.apply();
    owner.change(&more("blnew.example.com"));
    let told = text(&owner.try_apply().failed());
    assert!(told.contains("default/bl-shop"), "{told}");
    let domains = super::super::domains(servers, prefix);
    assert_eq!(
        domains,
        json!({ "blacme.example.com": "blacme", "blother.example.com": "blnew" })
    );
    work.destroy();
    owner.apply();
    owner.destroy();
}

/// The plan that gives a tenant a domain is the first to keep others out of it.
#[test]
fn a_domain_counts_from_the_plan_that_gives_it() {
    let (servers, prefix) = (servers(), "bp");
    let both = |host: &str| {
        tenant("bpacme", "domain = \"bpacme.example.com\"")
            + &application("bp-shop", "", &quoted("web", host)).replace(
                "name = \"bp-shop\"",
                "name = \"bp-shop\"\n  depends_on = [oam_tenant.bpacme]",
            )
    };
    let work = workspace(servers, prefix, &both("shop.bpacme.example.com"));
    assert_eq!(
        lines(&work.try_plan()),
        ["host = \"shop.bpacme.example.com\""]
    );
    work.change(&both("shop.bp.example.com"));
    work.plan();
}
