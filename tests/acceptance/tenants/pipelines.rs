//! A tenant's pipeline has the tenant's policies and nothing else.

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
