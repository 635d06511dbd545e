//! A namespace is one tenant's.

use super::*;
use crate::yearly;

fn job() -> String {
    yearly("job", "image = \"a:1\"")
}

fn scope(name: &str, namespace: &str, more: &str) -> String {
    format!(
        "resource \"oam_namespace_scope\" \"{name}\" {{\n  name = \"{name}\"\n  namespace = \
         \"{namespace}\"\n  {more}\n}}\n"
    )
}

#[test]
fn a_namespace_of_another_tenant_is_refused_however_it_is_named() {
    let (servers, prefix) = (servers(), "bn");
    let owner = workspace(
        servers,
        prefix,
        &(tenant("bnacme", "") + &tenant("bnbeta", "")),
    );
    owner.apply();
    let inside = |namespace: &str| {
        format!(
            "\n  namespace_scope \"n\" {{\n    namespace = \"{namespace}\"\n  }}{}",
            job()
        )
    };
    let work = workspace(servers, prefix, "");
    // Written in the application: of a tenant at its tenant, of none at the scope.
    for (tenant, namespace, line) in [
        ("bnacme", "bnbeta", "tenant = \"bnacme\""),
        ("bnacme", "bnbeta-x", "tenant = \"bnacme\""),
        ("bnacme", "default", "tenant = \"bnacme\""),
        ("bnacme", "bnacmex", "tenant = \"bnacme\""),
        ("bnnobody", "bnbeta", "tenant = \"bnnobody\""),
        ("", "bnbeta", "namespace = \"bnbeta\""),
        ("", "bnbeta-x", "namespace = \"bnbeta-x\""),
    ] {
        work.change(&application("bn-shop", tenant, &inside(namespace)));
        assert_eq!(lines(&work.try_plan()), [line], "{tenant} {namespace}");
    }
    // In a manifest.
    let manifest = |tenant: &str| {
        let document = json!({
            "apiVersion": "core.oam.dev/v1alpha2", "kind": "Application",
            "metadata": { "name": "bn-shop" },
            "spec": {
                "components": [{
                    "name": "job", "type": "cron-task",
                    "properties": { "image": "a:1", "schedule": "0 0 1 1 *" },
                }],
                "scopes": [{
                    "scopeRef": {
                        "apiVersion": "core.oam.dev/v1alpha2", "kind": "namespace.nomad.oam.dev",
                        "name": "n",
                    },
                    "properties": { "namespace": "bnbeta" },
                }],
            },
        });
        format!(
            "resource \"oam_application\" \"it\" {{\n  {tenant}\n  manifest = {:?}\n}}\n",
            document.to_string()
        )
    };
    for tenant in ["tenant = \"bnacme\"", ""] {
        work.change(&manifest(tenant));
        let told = text(&work.try_plan().failed());
        assert!(told.contains("bnbeta"), "{told}");
    }
    // By reference to a scope of its own, which the same plan makes.
    let referring = |tenant: &str, namespace: &str| {
        let refer = format!("  scopes = [oam_namespace_scope.n.id]\n{}", job());
        scope("n", namespace, "") + &application("bn-shop", tenant, &refer)
    };
    for (tenant, line) in [
        ("bnacme", "tenant = \"bnacme\""),
        ("", "scopes = [oam_namespace_scope.n.id]"),
    ] {
        work.change(&referring(tenant, "bnbeta"));
        assert_eq!(lines(&work.try_plan()), [line], "{tenant}");
    }
    nothing(servers, prefix, "bn-shop");
    // By a scope that is changed later.
    servers.nomad.namespace("bnacme-x");
    work.change(&referring("bnacme", "bnacme-x"));
    work.apply();
    assert!(servers.nomad.job("bnacme-x", "bn-shop-job").is_some());
    work.change(&referring("bnacme", "bnbeta"));
    assert_eq!(lines(&work.try_plan()), ["tenant = \"bnacme\""]);
    // Somebody else changes the scope, and only then the application is planned.
    let scopes = workspace(servers, prefix, &scope("n", "bnbeta", ""));
    scopes
        .run(&["import", "oam_namespace_scope.n", "n"])
        .succeeded();
    scopes.apply();
    let refer = application(
        "bn-shop",
        "bnacme",
        &format!("  scopes = [\"namespace/n\"]\n{}", job()),
    );
    work.run(&["state", "rm", "oam_namespace_scope.n"])
        .succeeded();
    work.change(&refer);
    assert_eq!(lines(&work.try_apply()), ["tenant = \"bnacme\""]);
    assert!(servers.nomad.job("bnbeta", "bn-shop-job").is_none());
    scopes.change(&scope("n", "bnacme-x", ""));
    scopes.apply();
    work.plan().assert_empty();
    // A scope makes no namespace of a tenant's its own.
    scopes.change(&(scope("n", "bnacme-x", "") + &scope("m", "bnbeta", "create = true")));
    let told = text(&scopes.try_apply().failed());
    assert!(told.contains("bnbeta"), "{told}");
    work.destroy();
    scopes.change(&scope("n", "bnacme-x", ""));
    scopes.apply();
    scopes.destroy();
    servers.nomad.delete("/v1/namespace/bnacme-x");
    owner.plan().assert_empty();
    owner.destroy();
}

#[test]
fn the_providers_namespace_is_no_tenants() {
    let (servers, prefix) = (servers(), "bq");
    let owner = workspace(servers, prefix, &tenant("bqacme", ""));
    owner.apply();
    for namespace in ["bqacme", "bqacme-x"] {
        let work = workspace(servers, prefix, &application("bq-shop", "", &job()));
        let block = provider(servers, prefix);
        let block = block.replacen(
            "nomad {",
            &format!("nomad {{\n    namespace = \"{namespace}\""),
            1,
        );
        work.write("provider.tf", &block);
        let run = work.try_plan();
        let told = text(&run.failed());
        assert!(
            told.contains(namespace) && told.contains("bqacme"),
            "{told}"
        );
        // With a tenant the provider's own namespace does not matter.
        work.change(&application("bq-shop", "bqacme", &job()));
        work.plan();
    }
    nothing(servers, prefix, "bq-shop");
    owner.destroy();
}
