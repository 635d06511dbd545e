//! A tenant's pipeline has the tenant's policies and nothing else.

use serde_json::{Value, json};

use super::{application_of, guarded, tenant, text, workspace};
use crate::support::terraform::provider_block_with;
use crate::support::{Role, Tokens, Workspace};

/// The provider block of a pipeline, with tokens that have the tenant's policies alone.
fn pipeline(prefix: &str, name: &str) -> String {
    let servers = guarded();
    let slug = format!("{prefix}-{name}");
    let tokens = Tokens {
        nomad: Some(servers.nomad.token_of(&[&slug])),
        consul: Some(servers.consul.token_of(&[&slug])),
        ..servers.tokens(Role::Everything, prefix)
    };
    provider_block_with(servers, prefix, &tokens)
}

#[test]
fn a_pipeline_runs_its_tenants_applications_with_the_tenants_policies() {
    let (servers, prefix) = (guarded(), "tt");
    let owner = workspace(
        servers,
        prefix,
        &(tenant("ttacme", "") + &tenant("ttbeta", "")),
    );
    owner.apply();
    let block = pipeline(prefix, "ttacme");
    let with = |configuration: &str| {
        let work = Workspace::bare(configuration);
        work.write("provider.tf", &block);
        work
    };
    let shop = application_of("tt-shop", "\"ttacme\"");
    let work = with(&shop);
    work.apply();
    work.plan().assert_empty();
    work.change(&shop.replace("report:1", "report:2"));
    work.apply();
    work.plan().assert_empty();
    assert!(servers.nomad.job("ttacme", "tt-shop-job").is_some());

    // Not another tenant's, nor one without a tenant.
    for tenant in ["\"ttbeta\"", "null"] {
        let told = text(
            &with(&application_of("tt-other", tenant))
                .try_apply()
                .failed(),
        );
        assert!(told.contains("denied"), "{tenant}: {told}");
    }
    // Nor is the tenant itself the pipeline's to change.
    let told = text(&with(&tenant("ttnew", "")).try_apply().failed());
    assert!(told.contains("denied"), "{told}");
    assert_eq!(
        servers.consul.keys(&format!("{prefix}/applications/")),
        [format!("{prefix}/applications/ttacme/tt-shop")]
    );

    // Of a tenant that is not active the same token changes nothing.
    owner.change(&(tenant("ttacme", "active = false") + &tenant("ttbeta", "")));
    owner.apply();
    work.plan().assert_empty();
    let told = text(&work.run(&["destroy", "-json", "-auto-approve"]).failed());
    assert!(told.contains("denied"), "{told}");
    owner.change(&(tenant("ttacme", "") + &tenant("ttbeta", "")));
    owner.apply();
    work.destroy();
    owner.destroy();
}

/// A tenant's pipeline has to write the ledger of the tenant's usage, so it can write anything there. What it
/// gets by that shows in the next plan of the tenant, and the apply counts anew.
#[test]
fn a_ledger_that_a_tenant_has_written_itself_shows_in_the_plan() {
    let (servers, prefix, name) = (guarded(), "tl", "tlacme");
    let address = format!("oam_tenant.{name}");
    let owner = workspace(
        servers,
        prefix,
        &tenant(name, "quotas {\n max_jobs = 1\n }"),
    );
    owner.apply();
    let block = pipeline(prefix, name);
    let with = |application: &str| {
        let work = Workspace::bare(&application_of(application, &format!("\"{name}\"")));
        work.write("provider.tf", &block);
        work
    };
    let shop = with("tl-shop");
    shop.apply();
    owner.plan().assert_empty();
    let more = with("tl-more");
    let told = text(&more.try_apply().failed());
    assert!(told.contains("max_jobs"), "{told}");

    // With the tenant's own token and nothing else.
    let token = servers.consul.token_of(&[&format!("{prefix}-{name}")]);
    let own = servers.consul.with_token(Some(&token));
    let path = format!("/v1/kv/{prefix}/usage/{name}");
    let ledger = || -> Value {
        let (text, _) = servers
            .consul
            .key(&format!("{prefix}/usage/{name}"))
            .unwrap();
        serde_json::from_str(&text).unwrap()
    };
    let entry = |jobs: u64| json!({ "jobs": jobs, "cpu_mhz": 100_000, "memory_mb": 100_000 });
    let write = |applications: Value| {
        own.put(&path, &json!({ "format": 1, "applications": applications }));
    };
    // What says too much binds nobody: it is counted anew before it refuses anything.
    write(json!({ "tl-shop": entry(7), "tl-other": entry(7) }));
    owner.plan().assert_empty();

    write(json!({}));
    more.apply();
    assert_eq!(servers.nomad.job_ids("tl-").len(), 2, "more than the quota");
    assert_eq!(ledger()["applications"].as_object().unwrap().len(), 1);
    let plan = owner.plan();
    assert_eq!(plan.actions(&address), ["update"]);
    let drift = plan.change(&address)["before"]["drift"].clone();
    let [shown] = drift.as_array().unwrap().as_slice() else {
        panic!("{drift:#}")
    };
    assert_eq!(
        (&shown["path"], &shown["live"]),
        (&json!("usage[\"tl-shop\"]"), &json!("null"))
    );
    assert!(
        shown["recorded"].as_str().unwrap().contains("\"jobs\":1"),
        "{shown}"
    );

    // So does an entry that is smaller than what the record says.
    let mut smaller = ledger()["applications"].clone();
    smaller["tl-shop"] = json!({ "jobs": 0, "cpu_mhz": 0, "memory_mb": 0 });
    write(smaller);
    let drift = owner.plan().change(&address)["before"]["drift"].clone();
    assert_eq!(drift[0]["path"], "usage[\"tl-shop\"]");
    assert!(
        drift[0]["live"].as_str().unwrap().contains("\"jobs\":0"),
        "{drift:#}"
    );

    owner.apply();
    owner.plan().assert_empty();
    assert_eq!(ledger()["applications"].as_object().unwrap().len(), 2);
    let told = text(&with("tl-third").try_apply().failed());
    assert!(told.contains("max_jobs"), "{told}");
    more.destroy();
    shop.destroy();
    owner.destroy();
}
