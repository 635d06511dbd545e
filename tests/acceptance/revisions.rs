//! What each apply made of an application is kept for a while, and can be gone back to.

use super::support::terraform::provider_block;
use super::support::{Workspace, servers};
use super::{ADDRESS, application, at, yearly};
use serde_json::{Value, json};

/// A job that runs this image, and nothing ever.
fn image(name: &str, version: u64) -> String {
    application(
        name,
        &yearly("job", &format!("image = \"example:{version}\"")),
    )
}

/// The keys of an application's revisions.
fn kept(name: &str) -> Vec<u64> {
    let consul = &servers().consul;
    let path = format!("/v1/kv/oam/revisions/default/{name}/?keys");
    let keys = consul.find(&path).unwrap_or(json!([]));
    let keys = keys.as_array().unwrap().iter();
    let number = |key: &Value| key.as_str().unwrap().rsplit('/').next().unwrap().parse();
    keys.map(|key| number(key).unwrap()).collect()
}

#[test]
fn an_application_goes_back_to_a_revision_through_the_plan() {
    let servers = servers();
    let work = Workspace::new(servers, &image("turned", 1));
    for version in 1..=3 {
        work.change(&image("turned", version));
        work.apply();
    }
    assert_eq!(kept("turned"), [1, 2, 3]);

    let back =
        "resource \"oam_application\" \"it\" {\n  name        = \"turned\"\n  rollback_to = 1\n}\n";
    work.change(back);
    let plan = work.plan();
    assert_eq!(plan.actions(ADDRESS), ["update"]);
    let after = plan.change(ADDRESS)["after"].clone();
    assert!(
        at(&after, "/manifest")
            .as_str()
            .unwrap()
            .contains("example:1")
    );
    assert_eq!(after["revision"], 4);
    work.apply();
    let job = servers.nomad.job("default", "turned-job").unwrap();
    assert_eq!(at(&job, "/TaskGroups/0/Tasks/0/Config/image"), "example:1");
    work.plan().assert_empty();
    assert_eq!(kept("turned"), [1, 2, 3, 4]);

    // A revision stays what it is, whatever happens to the job.
    servers.nomad.edit("default", "turned-job", |job| {
        job["TaskGroups"][0]["Tasks"][0]["Config"]["image"] = "example:9".into();
    });
    assert_eq!(work.plan().actions(ADDRESS), ["update"]);
    work.apply();
    work.plan().assert_empty();

    // And forward again, with blocks.
    work.change(&image("turned", 5));
    work.apply();
    work.plan().assert_empty();
    let state = work.state(ADDRESS).unwrap();
    assert_eq!(
        (&state["manifest"], &state["revision"]),
        (&Value::Null, &json!(6))
    );
    work.destroy();
    assert_eq!(
        kept("turned"),
        Vec::<u64>::new(),
        "they go with the application"
    );
}

#[test]
fn the_data_source_shows_them() {
    let work = Workspace::new(servers(), &image("shown", 1));
    work.apply();
    let data = "data \"oam_application_revisions\" \"it\" {\n  name = oam_application.it.name\n}\n";
    work.change(&format!("{}{data}", image("shown", 2)));
    work.apply();
    work.apply();
    let state = work.state("data.oam_application_revisions.it").unwrap();
    assert_eq!(state["id"], "default/shown");
    let revisions = state["revisions"].as_array().unwrap();
    let numbers: Vec<_> = revisions.iter().map(|it| it["revision"].clone()).collect();
    assert_eq!(numbers, [json!(1), json!(2)]);
    let manifest: Value = serde_json::from_str(revisions[0]["manifest"].as_str().unwrap()).unwrap();
    assert_eq!(
        at(&manifest, "/spec/components/0/properties/image"),
        "example:1"
    );
    assert!(revisions[1]["applied_at"].as_str().unwrap().ends_with('Z'));
    work.destroy();
}

#[test]
fn as_many_as_are_wanted_are_kept() {
    let servers = servers();
    let work = Workspace::new(servers, &image("bounded", 1));
    let few = |kept: u64| {
        let setting = format!("    revisions = {kept}\n    key_prefix");
        provider_block(servers, "oam").replace("    key_prefix", &setting)
    };
    work.write("provider.tf", &few(2));
    for version in 1..=4 {
        work.change(&image("bounded", version));
        work.apply();
    }
    assert_eq!(kept("bounded"), [3, 4]);
    let back = |revision: u64| {
        format!(
            "resource \"oam_application\" \"it\" {{\n  name        = \"bounded\"\n  rollback_to = {revision}\n}}\n"
        )
    };
    work.change(&back(1));
    let errors = work.try_plan().failed();
    assert_eq!(errors[0].code, "rollback_to = 1");
    assert!(errors[0].detail.contains("3, 4"), "{errors:#?}");

    // One that was gone back to stays in the configuration when it is no longer kept.
    work.change(&back(3));
    work.apply();
    assert_eq!(kept("bounded"), [4, 5]);
    work.plan().assert_empty();

    work.write("provider.tf", &few(0));
    work.change(&image("bounded", 7));
    work.apply();
    assert_eq!(kept("bounded"), Vec::<u64>::new());

    work.write("provider.tf", &few(1001));
    let errors = work.try_plan().failed();
    assert_eq!(errors[0].code, "revisions = 1001");
    work.write("provider.tf", &few(2));
    work.destroy();
}

#[test]
fn a_revision_and_more_is_refused_at_validation() {
    let blocks = yearly("job", "command = [\"true\"]");
    let cases = [
        (
            format!("  name = \"both\"\n  rollback_to = 1\n{blocks}"),
            "resource \"oam_application\" \"it\" {",
        ),
        (
            "  name = \"both\"\n  rollback_to = 1\n  manifest = \"{}\"".to_owned(),
            "manifest = \"{}\"",
        ),
        (
            "  name = \"both\"\n  rollback_to = 0".to_owned(),
            "rollback_to = 0",
        ),
    ];
    for (body, code) in cases {
        let configuration = format!("resource \"oam_application\" \"it\" {{\n{body}\n}}\n");
        let problems = Workspace::new(servers(), &configuration).validate();
        let found: Vec<_> = problems.iter().map(|it| it.code.as_str()).collect();
        assert!(found.contains(&code), "{problems:#?}");
    }
}
