//! A plan says what Nomad would do with the jobs that change, at the component concerned.

use super::support::terraform::{Diagnostic, provider_block};
use super::support::{Workspace, servers};
use super::{application, worker, yearly};

/// The warnings of a plan that succeeds.
fn warnings(work: &Workspace) -> Vec<Diagnostic> {
    let run = work.try_plan();
    run.succeeded();
    run.diagnostics
}

#[test]
fn what_cannot_be_placed_is_said_at_plan_with_the_reason() {
    let cases = [
        (
            "a constraint that no node meets",
            worker(
                "one",
                "affinity {\n constraint {\n attribute = \"attr.kernel.name\"\n value = \"plan9\"\n }\n }",
            ),
            "plan9",
        ),
        (
            "more memory than there is",
            worker("one", "resources {\n memory = \"100Gi\"\n }"),
            "too little memory left",
        ),
        (
            "a driver that no node has",
            "\n  component \"one\" {\n    type  = \"vmworkload.nomad.oam.dev\"\n    image = \"/srv/x.img\"\n  }"
                .to_owned(),
            "without the task's driver",
        ),
        (
            "a datacenter that there is not",
            worker("one", "target_clusters = [\"nowhere\"]"),
            "no node is ready",
        ),
    ];
    for (what, component, reason) in cases {
        let configuration = application(
            "unplaced",
            &format!("{component}\n{}", yearly("two", "command = [\"true\"]")),
        );
        let work = Workspace::new(servers(), &configuration);
        let found = warnings(&work);
        let [warning] = found.as_slice() else {
            panic!("{what}: {found:#?}");
        };
        assert_eq!(warning.severity, "warning");
        assert!(
            warning.summary.contains("unplaced-one"),
            "{what}: {warning:#?}"
        );
        assert!(warning.detail.contains(reason), "{what}: {warning:#?}");
        assert_eq!(warning.code, "component \"one\" {", "{what}: {warning:#?}");
    }
}

#[test]
fn an_update_says_what_it_takes_down_and_one_in_place_says_nothing() {
    let configuration = |value: &str, replicas: u64| {
        let update =
            "update_strategy {\n min_healthy_time = \"0s\"\n health_check = \"task_states\"\n }";
        let more = format!(
            "env = {{ A = \"{value}\" }}\n scaler {{\n replicas = {replicas}\n }}\n {update}"
        );
        application("replaced", &worker("one", &more))
    };
    let work = Workspace::new(servers(), &configuration("1", 2));
    assert!(warnings(&work).is_empty(), "a creation takes nothing down");
    work.apply();

    work.change(&configuration("2", 2));
    let found = warnings(&work);
    let [warning] = found.as_slice() else {
        panic!("{found:#?}");
    };
    assert!(warning.summary.contains("replaced-one"), "{warning:#?}");
    assert!(
        warning.detail.contains("1 replaced by new ones"),
        "{warning:#?}"
    );
    assert_eq!(warning.code, "component \"one\" {");

    work.change(&configuration("1", 3));
    assert!(warnings(&work).is_empty(), "one more takes nothing down");

    work.change(&configuration("1", 1));
    let found = warnings(&work);
    assert!(
        found.iter().any(|it| it.detail.contains("1 stopped")),
        "{found:#?}"
    );
    work.destroy();
}

#[test]
fn what_nomad_would_refuse_is_an_error_at_plan() {
    let cron = yearly(
        "one",
        "command = [\"true\"]\n time_zone = \"Europe/Nowhere\"",
    );
    let work = Workspace::new(servers(), &application("untimed", &cron));
    let errors = work.try_plan().failed();
    let [error] = errors.as_slice() else {
        panic!("{errors:#?}");
    };
    assert!(error.summary.contains("untimed-one"), "{error:#?}");
    assert!(error.detail.contains("Europe/Nowhere"), "{error:#?}");
    assert_eq!(error.code, "component \"one\" {");
}

#[test]
fn a_nomad_that_does_not_answer_is_an_error_or_a_warning_or_nothing() {
    let servers = servers();
    let work = Workspace::new(
        servers,
        &application("unasked", &yearly("one", "command = [\"true\"]")),
    );
    let provider = |dry_run: &str| {
        let block =
            provider_block(servers, "oam").replace(&servers.nomad.address, "http://127.0.0.1:1");
        block.replacen("  nomad {\n", &format!("  nomad {{\n{dry_run}"), 1)
    };
    work.write("provider.tf", &provider(""));
    let errors = work.try_plan().failed();
    assert_eq!(errors.len(), 1, "{errors:#?}");
    assert!(errors[0].summary.contains("Nomad"), "{errors:#?}");

    work.write("provider.tf", &provider("    dry_run = \"optional\"\n"));
    let found = warnings(&work);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].summary.contains("Nomad"), "{found:#?}");

    work.write("provider.tf", &provider("    dry_run = \"off\"\n"));
    assert!(warnings(&work).is_empty());

    work.write("provider.tf", &provider("    dry_run = \"never\"\n"));
    let errors = work.try_plan().failed();
    assert_eq!(errors[0].code, "dry_run = \"never\"", "{errors:#?}");
}

#[test]
fn a_plan_lists_job_by_job_what_changes() {
    let configuration = |image: &str, memory: &str| {
        let one = format!(
            "image = \"example:{image}\"\n env = {{ A = \"{image}\" }}\n resources {{\n memory = \"{memory}\"\n }}"
        );
        application(
            "listed",
            &format!(
                "{}{}",
                yearly("one", &one),
                yearly("two", "command = [\"true\"]")
            ),
        )
    };
    let work = Workspace::new(servers(), &configuration("1", "64Mi"));
    let changes = |plan: &super::support::Plan, of: &str| {
        super::at(
            plan.change(super::ADDRESS),
            &format!("/after/jobs/{of}/changes"),
        )
        .clone()
    };
    let plan = work.plan();
    assert_eq!(
        changes(&plan, "one"),
        serde_json::json!([]),
        "a job that is made"
    );
    work.apply();

    work.change(&configuration("2", "64Mi"));
    let wanted = serde_json::json!([
        "TaskGroups/one/Tasks/one/Config/image",
        "TaskGroups/one/Tasks/one/Env/A",
    ]);
    let plan = work.plan();
    assert_eq!(changes(&plan, "one"), wanted);
    assert_eq!(changes(&plan, "two"), serde_json::json!([]));
    work.apply();
    let state = work.state(super::ADDRESS).unwrap();
    assert_eq!(
        super::at(&state, "/jobs/one/changes"),
        &wanted,
        "planned is applied"
    );
    work.plan().assert_empty();

    // What somebody else has changed is changed back.
    servers().nomad.edit("default", "listed-two", |job| {
        job["TaskGroups"][0]["Tasks"][0]["Config"]["command"] = "false".into();
    });
    let plan = work.plan();
    assert_eq!(
        changes(&plan, "two"),
        serde_json::json!(["TaskGroups/two/Tasks/two/Config/command"])
    );
    assert_eq!(changes(&plan, "one"), wanted, "as before");
    work.apply();
    work.plan().assert_empty();
    work.destroy();
}
