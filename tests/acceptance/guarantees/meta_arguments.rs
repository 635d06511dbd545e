//! `lifecycle`, `for_each`, and the blocks `moved` and `removed`.

use super::{
    application, at, created, deploy, greeting, image, index, job, kept, part, record,
    running_image, text,
};
use crate::ADDRESS;
use crate::support::{Workspace, servers};

#[test]
fn an_application_cannot_be_there_twice_and_nothing_is_lost() {
    let first = "create_before_destroy = true";
    let name = "guar-twice";
    let work = Workspace::new(servers(), &kept(name, &part("job", "1"), first));
    work.apply();
    let (live, kept_record) = (index("guar-twice-job"), record(name));
    let plan = work.plan_with(&[&format!("-replace={ADDRESS}")]);
    assert_eq!(plan.actions(ADDRESS), ["create", "delete"]);
    let told = text(&work.apply_plan(&plan).failed());
    assert!(told.contains("guar-twice exists already"), "{told}");
    assert!(told.contains("create_before_destroy"), "{told}");
    assert_eq!((index("guar-twice-job"), record(name)), (live, kept_record));
    work.plan().assert_empty();

    // Under another name both are there for a moment.
    work.change(&kept("guar-other", &part("job", "1"), first));
    assert_eq!(work.plan().actions(ADDRESS), ["create", "delete"]);
    work.apply();
    assert_eq!(servers().nomad.job_ids("guar-twice"), Vec::<String>::new());
    assert_eq!(servers().nomad.job_ids("guar-other"), ["guar-other-job"]);
    work.plan().assert_empty();
    work.destroy();
}

#[test]
fn an_ignored_image_is_another_deployers() {
    let name = "guar-image";
    let ignored = "ignore_changes = [component[\"web\"].image]";
    let parts = |version, other| image("web", version) + &part("other", other);
    let work = Workspace::new(servers(), &kept(name, &parts(1, "1"), ignored));
    work.apply();
    deploy("guar-image-web", "example:7");
    let live = index("guar-image-web");
    assert!(
        work.plan().is_empty(),
        "the deployment is no change to make"
    );
    work.apply();
    assert_eq!(index("guar-image-web"), live);

    // An update of something else leaves it alone, and so does another image in the configuration.
    work.change(&kept(name, &parts(2, "2"), ignored));
    let plan = work.plan();
    assert_eq!(plan.actions(ADDRESS), ["update"]);
    let change = plan.change(ADDRESS);
    assert_eq!(at(change, "/after/component/web/image"), "example:7");
    work.apply_plan(&plan).succeeded();
    assert_eq!(index("guar-image-web"), live);
    assert_eq!(greeting("guar-image-other"), "2");
    work.plan().assert_empty();

    // What is not ignored of the same component is repaired, with the image that runs.
    servers().nomad.edit("default", "guar-image-web", |job| {
        job["TaskGroups"][0]["Tasks"][0]["Config"]["image"] = "example:8".into();
        job["TaskGroups"][0]["Tasks"][0]["Resources"]["MemoryMB"] = 999.into();
    });
    assert_eq!(work.plan().actions(ADDRESS), ["update"]);
    work.apply();
    assert_eq!(running_image("guar-image-web"), "example:8");
    let memory = at(
        &job("guar-image-web"),
        "/TaskGroups/0/Tasks/0/Resources/MemoryMB",
    )
    .clone();
    assert_eq!(memory, 300);
    work.plan().assert_empty();
    // And without the word, the configuration's counts again.
    work.change(&application(name, &parts(2, "2")));
    work.apply();
    assert_eq!(running_image("guar-image-web"), "example:2");
    work.destroy();
}

#[test]
fn ignored_components_are_another_deployers() {
    let name = "guar-ignored";
    let ignored = "ignore_changes = [component]";
    let work = Workspace::new(
        servers(),
        &kept(name, &(image("web", 1) + &part("job", "1")), ignored),
    );
    work.apply();
    deploy("guar-ignored-web", "example:7");
    servers().nomad.edit("default", "guar-ignored-job", |job| {
        job["TaskGroups"][0]["Tasks"][0]["Env"]["A"] = "outsider".into();
    });
    let live = (index("guar-ignored-web"), index("guar-ignored-job"));
    assert!(
        work.plan().is_empty(),
        "the deployments are no change to make"
    );
    work.apply();
    work.change(&kept(
        name,
        &format!("labels = {{ a = \"b\" }}\n{}", image("web", 2)),
        ignored,
    ));
    work.apply();
    assert_eq!((index("guar-ignored-web"), index("guar-ignored-job")), live);
    assert_eq!(
        at(&record(name).unwrap(), "/document/metadata/labels/a"),
        "b"
    );
    work.plan().assert_empty();

    // What no attribute stands for cannot be ignored: it is repaired, and the rest stays.
    servers().nomad.edit("default", "guar-ignored-web", |job| {
        job["Priority"] = 70.into();
        job["TaskGroups"][0]["Tasks"][0]["Config"]["image"] = "example:8".into();
    });
    let plan = work.plan();
    assert_eq!(plan.actions(ADDRESS), ["update"]);
    work.apply_plan(&plan).succeeded();
    assert_eq!(job("guar-ignored-web")["Priority"], 50);
    assert_eq!(running_image("guar-ignored-web"), "example:8");
    work.plan().assert_empty();
    work.destroy();
}

#[test]
fn an_application_moves_to_another_address_untouched() {
    let name = "guar-moved";
    let work = Workspace::new(servers(), &application(name, &part("job", "1")));
    work.apply();
    let before = (index("guar-moved-job"), record(name));
    let there = application(name, &part("job", "1"))
        .replace("\"it\" {", "\"there\" {\n  for_each = toset([\"x\"])");
    work.change(&format!(
        "{there}moved {{\n  from = {ADDRESS}\n  to = oam_application.there[\"x\"]\n}}\n"
    ));
    let plan = work.plan();
    assert_eq!(plan.actions("oam_application.there[\"x\"]"), ["no-op"]);
    work.apply_plan(&plan).succeeded();
    assert!(work.state(ADDRESS).is_none());
    assert!(work.state("oam_application.there[\"x\"]").is_some());
    assert_eq!((index("guar-moved-job"), record(name)), before);
    work.plan().assert_empty();
    work.destroy();
    assert_eq!(record(name), None);
}

#[test]
fn a_removed_application_runs_on_and_can_be_taken_back() {
    let name = "guar-removed";
    let configuration = application(name, &part("job", "1"));
    let work = Workspace::new(servers(), &configuration);
    work.apply();
    let before = (index("guar-removed-job"), record(name));
    work.change(&format!(
        "removed {{\n  from = {ADDRESS}\n  lifecycle {{\n    destroy = false\n  }}\n}}\n"
    ));
    let plan = work.plan();
    assert_eq!(plan.actions(ADDRESS), ["forget"]);
    work.apply_plan(&plan).succeeded();
    assert!(work.state(ADDRESS).is_none());
    assert_eq!((index("guar-removed-job"), record(name)), before);

    // A second creation is refused, with what to do instead.
    work.change(&configuration);
    let told = text(&work.try_apply().failed());
    assert!(told.contains("terraform import"), "{told}");
    assert_eq!((index("guar-removed-job"), record(name)), before);
    work.run(&["import", "-no-color", ADDRESS, name])
        .succeeded();
    work.plan().assert_empty();
    work.destroy();
    assert_eq!(record(name), None);
}

#[test]
fn of_many_applications_each_stands_alone() {
    let many = |names: &str| {
        format!(
            "resource \"oam_application\" \"it\" {{\n  for_each = toset([{names}])\n  \
             name = \"guar-many-${{each.key}}\"\n{}\n}}\n",
            part("job", "${each.key}")
        )
    };
    let work = Workspace::new(servers(), &many("\"a\", \"b\""));
    work.apply();
    assert_eq!(greeting("guar-many-b-job"), "b");
    let before = index("guar-many-b-job");
    work.change(&many("\"b\", \"c\""));
    let plan = work.plan();
    let actions = |key: &str| plan.actions(&format!("oam_application.it[\"{key}\"]"));
    assert_eq!(actions("a"), ["delete"]);
    assert_eq!(actions("b"), ["no-op"]);
    assert_eq!(actions("c"), ["create"]);
    work.apply_plan(&plan).succeeded();
    let jobs = servers().nomad.job_ids("guar-many-");
    assert_eq!(jobs, ["guar-many-b-job", "guar-many-c-job"]);
    assert_eq!(index("guar-many-b-job"), before);
    work.plan().assert_empty();
    work.destroy();
}

#[test]
fn of_components_from_a_map_each_stands_alone() {
    let many = |jobs: &str| {
        format!(
            "locals {{\n  jobs = {{ {jobs} }}\n}}\nresource \"oam_application\" \"it\" {{\n  \
             name = \"guar-map\"\n  dynamic \"component\" {{\n    for_each = local.jobs\n    \
             labels = [component.key]\n    content {{\n      type = \"cron-task\"\n      \
             driver = \"raw_exec\"\n      schedule = \"@yearly\"\n      command = [\"/bin/true\"]\n      \
             env = {{ A = component.value }}\n    }}\n  }}\n}}\n"
        )
    };
    let work = Workspace::new(servers(), &many("a = \"1\", b = \"1\""));
    work.apply();
    let before = index("guar-map-b");
    work.change(&many("b = \"1\", c = \"1\", 0 = \"1\""));
    let plan = work.plan();
    assert_eq!(plan.actions(ADDRESS), ["update"]);
    work.apply_plan(&plan).succeeded();
    let jobs = servers().nomad.job_ids("guar-map-");
    assert_eq!(jobs, ["guar-map-0", "guar-map-b", "guar-map-c"]);
    assert_eq!(index("guar-map-b"), before);
    work.plan().assert_empty();
    work.destroy();
}

#[test]
fn what_must_not_be_destroyed_is_not() {
    let name = "guar-precious";
    let never = "prevent_destroy = true";
    let work = Workspace::new(servers(), &kept(name, &part("job", "1"), never));
    work.apply();
    let before = (index("guar-precious-job"), record(name));
    work.run(&["destroy", "-json", "-auto-approve"]).failed();
    work.change(&kept("guar-cheap", &part("job", "1"), never));
    let told = text(&work.try_plan().failed());
    assert!(told.contains("prevent_destroy"), "{told}");
    assert_eq!((index("guar-precious-job"), record(name)), before);
    let first = created("guar-precious-job");
    work.change(&kept(name, &part("job", "2"), never));
    work.apply();
    assert_eq!(created("guar-precious-job"), first);
    assert_eq!(greeting("guar-precious-job"), "2");
    work.change(&application(name, &part("job", "2")));
    work.destroy();
}
