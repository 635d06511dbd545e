//! What a tenant's jobs may be run with, told by the plan and enforced by Nomad.

use reqwest::Method;
use serde_json::{Value, json};

use super::{guarded, namespace, record, tenant, text, workspace};
use crate::support::api::Answer;
use crate::support::terraform::Diagnostic;
use crate::support::{Servers, servers};

/// An application of a tenant with one program that runs on every 1st of January, in no network scope.
fn program(name: &str, tenant: &str, driver: &str) -> String {
    let component = format!(
        "  tenant = \"{tenant}\"\n  component \"job\" {{\n    type = \"cron-task\"\n    schedule = \"0 0 1 1 *\"\n    \
         command = [\"/bin/true\"]\n    driver = \"{driver}\"\n  }}\n"
    );
    super::super::application(name, &component)
}

/// What Nomad says to a job by hand with one task, in a network of this mode, of none, or in the `mesh`.
fn by_hand(servers: &Servers, token: &str, place: &str, driver: &str, mode: &str) -> Answer {
    let (network, services) = match mode {
        "" => (json!([]), json!([])),
        "mesh" => (
            json!([{ "Mode": "bridge" }]),
            json!([{ "Name": "by-hand", "PortLabel": "80", "Connect": { "SidecarService": {} } }]),
        ),
        mode => (json!([{ "Mode": mode }]), json!([])),
    };
    let job = json!({ "Job": {
        "ID": "by-hand", "Name": "by-hand", "Namespace": place, "Type": "batch", "Datacenters": ["*"],
        "Periodic": { "Enabled": true, "SpecType": "cron", "Specs": ["0 0 1 1 *"] },
        "TaskGroups": [{ "Name": "it", "Networks": network, "Services": services, "Tasks": [{
            "Name": "it", "Driver": driver, "Config": { "command": "/bin/true" },
        }] }],
    }});
    let nomad = servers.nomad.with_token(Some(token));
    nomad
        .ask(Method::POST, "/v1/jobs", Some(job.to_string()))
        .unwrap()
}

fn enabled(servers: &Servers, name: &str) -> (Value, Value) {
    let all = namespace(servers, name).unwrap()["Capabilities"].clone();
    (
        all["EnabledTaskDrivers"].clone(),
        all["EnabledNetworkModes"].clone(),
    )
}

fn drifted(change: &Value) -> Vec<(String, String, String)> {
    let all = change["before"]["drift"].as_array().unwrap().iter();
    let text = |it: &Value, name: &str| it[name].as_str().unwrap().to_owned();
    let all = all.map(|it| (text(it, "path"), text(it, "recorded"), text(it, "live")));
    all.collect()
}

#[test]
fn a_tenant_runs_its_jobs_with_what_it_is_allowed_alone() {
    let (servers, prefix, name) = (guarded(), "lm", "lmacme");
    let address = "oam_tenant.lmacme";
    let limits = "task_drivers = [\"raw_exec\", \"docker\"]\n  network_modes = [\"bridge\"]";
    // Before: nothing is limited, and what an operator has set stays.
    let owner = workspace(servers, prefix, &tenant(name, ""));
    owner.apply();
    let mut edited = namespace(servers, name).unwrap();
    edited["Capabilities"] =
        json!({ "DisabledTaskDrivers": ["qemu"], "EnabledTaskDrivers": ["java"] });
    servers.nomad.put("/v1/namespace/lmacme", &edited);
    owner.plan().assert_empty();

    // A further namespace, which a scope makes, and one by hand that is there before.
    servers.nomad.namespace("lmacme-hand");
    let scope = "resource \"oam_namespace_scope\" \"late\" {\n  name = \"lm-late\"\n  namespace = \"lmacme-late\"\n  create = true\n}\n";
    owner.change(&tenant(name, limits));
    owner.apply();
    owner.plan().assert_empty();
    owner.change(&(tenant(name, limits) + scope));
    owner.apply();
    owner.plan().assert_empty();
    let both = (json!(["docker", "raw_exec"]), json!(["bridge"]));
    let places = ["lmacme", "lmacme-hand", "lmacme-late"];
    for place in places {
        assert_eq!(enabled(servers, place), both, "{place}");
    }
    let own = namespace(servers, name).unwrap();
    assert_eq!(own["Capabilities"]["DisabledTaskDrivers"], json!(["qemu"]));
    assert_eq!(own["Meta"]["oam.limits"], "network_modes,task_drivers");
    assert_eq!(
        record(servers, prefix, name).unwrap()["limits"],
        json!({ "task_drivers": both.0, "network_modes": both.1 })
    );

    // By hand with the tenant's own token, in whichever of its namespaces: Nomad refuses.
    let token = servers.nomad.token_of(&["lm-lmacme"]);
    for place in places {
        for (driver, mode, refusal) in [
            ("exec", "bridge", "used task driver \"exec\" is not allowed"),
            (
                "docker",
                "host",
                "used group network mode \"host\" is not allowed",
            ),
        ] {
            let answer = by_hand(servers, &token, place, driver, mode);
            assert_ne!(answer.status, 200, "{place} {driver}: {}", answer.body);
            assert!(answer.body.contains(refusal), "{}", answer.body);
        }
        // A group without a network is in the node's, and Nomad does not look at it.
        let answer = by_hand(servers, &token, place, "raw_exec", "");
        assert_eq!(answer.status, 200, "{place}: {}", answer.body);
        servers.nomad.stop(place, "by-hand", true);
    }

    // What somebody opens shows, wherever, and is closed again.
    for (place, path) in [
        ("lmacme", "namespace.capabilities.enabled_task_drivers"),
        (
            "lmacme-late",
            "namespaces[\"lmacme-late\"].capabilities.enabled_task_drivers",
        ),
    ] {
        let mut open = namespace(servers, place).unwrap();
        open["Capabilities"]["EnabledTaskDrivers"] = json!([]);
        servers.nomad.put(&format!("/v1/namespace/{place}"), &open);
        let plan = owner.plan();
        assert_eq!(plan.actions(address), ["update"]);
        let expected = (
            path.to_owned(),
            "[\"docker\",\"raw_exec\"]".to_owned(),
            "[]".to_owned(),
        );
        assert_eq!(drifted(plan.change(address)), [expected]);
        owner.apply();
        owner.plan().assert_empty();
        assert_eq!(enabled(servers, place), both);
    }

    // The data source and an import tell the same.
    let other = workspace(servers, prefix, &tenant(name, limits));
    other.run(&["import", address, name]).succeeded();
    other.plan().assert_empty();
    other.run(&["state", "rm", address]).succeeded();
    other.change("data \"oam_tenant\" \"it\" { name = \"lmacme\" }\n");
    other.apply();
    let told = other.state("data.oam_tenant.it").unwrap();
    assert_eq!(
        (&told["task_drivers"], &told["network_modes"]),
        (&both.0, &both.1)
    );

    // Given back: one of the two, then the other, and nothing that others have set.
    owner.change(&(tenant(name, "task_drivers = [\"docker\"]") + scope));
    owner.apply();
    owner.plan().assert_empty();
    for place in places {
        let (drivers, modes) = enabled(servers, place);
        assert_eq!(drivers, json!(["docker"]), "{place}");
        assert!(
            modes.as_array().is_none_or(Vec::is_empty),
            "{place}: {modes}"
        );
    }
    owner.change(&(tenant(name, "") + scope));
    owner.apply();
    owner.plan().assert_empty();
    for place in places {
        let now = namespace(servers, place).unwrap();
        let drivers = &now["Capabilities"]["EnabledTaskDrivers"];
        assert!(
            drivers.as_array().is_none_or(Vec::is_empty),
            "{place}: {drivers}"
        );
        assert_eq!(now["Meta"]["oam.limits"], json!(null), "{place}");
    }
    let own = namespace(servers, name).unwrap();
    assert_eq!(own["Capabilities"]["DisabledTaskDrivers"], json!(["qemu"]));

    // A tenant that goes leaves no limits behind.
    owner.change(&(tenant(name, limits) + scope));
    owner.apply();
    assert_eq!(enabled(servers, "lmacme-hand"), both);
    owner.destroy();
    let hand = namespace(servers, "lmacme-hand").unwrap();
    assert_eq!(hand["Meta"]["oam.limits"], json!(null));
    assert_eq!(hand["Capabilities"]["EnabledTaskDrivers"], json!([]));
    servers.nomad.delete("/v1/namespace/lmacme-hand");
}

#[test]
fn an_application_with_what_its_tenant_does_not_allow_is_refused_at_the_plan() {
    let (servers, prefix, name) = (servers(), "ln", "lnacme");
    let limited = |fields: &str| tenant(name, fields);
    let owner = workspace(servers, prefix, &limited("task_drivers = [\"raw_exec\"]"));
    owner.apply();
    let work = workspace(servers, prefix, &program("ln-shop", name, "raw_exec"));
    work.apply();
    work.plan().assert_empty();

    // At what the component says, with what is allowed; with the tenant as the plan will leave it, too.
    work.change(&program("ln-shop", name, "exec"));
    let [error]: [Diagnostic; 1] = work.try_plan().failed().try_into().unwrap();
    assert_eq!(error.code, "driver = \"exec\"");
    assert!(
        error
            .summary
            .contains("does not allow the task driver \"exec\""),
        "{error:?}"
    );
    assert!(
        error.detail.contains("`task_drivers` are \"raw_exec\""),
        "{error:?}"
    );
    let both = workspace(servers, prefix, &limited("task_drivers = [\"raw_exec\"]"));
    both.run(&["import", "oam_tenant.lnacme", name]).succeeded();
    both.change(
        &(limited("network_modes = [\"bridge\"]")
            + &program("ln-other", name, "raw_exec").replace(
                &format!("tenant = \"{name}\""),
                "tenant = oam_tenant.lnacme.name",
            )),
    );
    let told = text(&both.try_plan().failed());
    assert!(
        told.contains("does not allow the network mode \"host\""),
        "{told}"
    );
    assert!(told.contains("type = \"cron-task\""), "{told}");
    assert!(servers.nomad.job_ids("ln-other").is_empty());

    // A proxy of the mesh is a task, too, for the provider as for Nomad.
    let meshed = "  tenant = oam_tenant.lnacme.name
  network_scope \"mesh\" {
    service_mesh = true
  }
  component \"api\" {
    type = \"webservice\"
    command = [\"/bin/true\"]
    port \"http\" { port = 8080 }
  }
";
    let meshed = super::super::application("ln-mesh", meshed);
    both.change(&(limited("task_drivers = [\"exec\"]") + &meshed));
    let [error]: [Diagnostic; 1] = both.try_plan().failed().try_into().unwrap();
    assert!(error.detail.contains("proxy of the mesh"), "{error:?}");
    assert_eq!(error.code, "type = \"webservice\"");
    let answer = by_hand(servers, "", name, "raw_exec", "mesh");
    let refusal = "used task driver \"docker\" is not allowed";
    assert!(answer.body.contains(refusal), "{}", answer.body);

    // Where a namespace is closed by hand, Nomad itself says so in the same plan.
    let mut closed = namespace(servers, name).unwrap();
    closed["Capabilities"]["DisabledTaskDrivers"] = json!(["raw_exec"]);
    servers.nomad.put("/v1/namespace/lnacme", &closed);
    let fresh = workspace(servers, prefix, &program("ln-more", name, "raw_exec"));
    let told = text(&fresh.try_plan().failed());
    assert!(
        told.contains("Nomad would not take the job ln-more-job"),
        "{told}"
    );
    assert!(
        told.contains("\"raw_exec\" is not allowed in namespace"),
        "{told}"
    );
    closed["Capabilities"]["DisabledTaskDrivers"] = json!(null);
    servers.nomad.put("/v1/namespace/lnacme", &closed);

    // The other way round: the tenant's plan names who has something else; that goes on as it is.
    owner.change(&limited("task_drivers = [\"docker\"]"));
    let run = owner.apply();
    let said = format!("{}{}", run.output, run.errors);
    assert!(said.contains("ln-shop (raw_exec)"), "{said}");
    work.change(&program("ln-shop", name, "raw_exec"));
    work.plan().assert_empty();
    work.change(&program("ln-shop", name, "raw_exec").replace("/bin/true", "/bin/false"));
    let told = text(&work.try_plan().failed());
    assert!(
        told.contains("does not allow the task driver \"raw_exec\""),
        "{told}"
    );
    assert!(servers.nomad.job(name, "ln-shop-job").is_some());

    // What is not known before the apply is refused then, and nothing is begun.
    let late = "resource \"terraform_data\" \"d\" { input = \"exec\" }\n".to_owned()
        + &program("ln-late", name, "x").replace("\"x\"", "terraform_data.d.output");
    let open = workspace(servers, prefix, &late);
    let told = text(&open.try_apply().failed());
    assert!(
        told.contains("does not allow the task driver \"exec\""),
        "{told}"
    );
    assert_eq!(servers.consul.record(prefix, name, "ln-late"), None);

    // Nothing allowed, and what is no name, is refused before all.
    for (fields, summary, code) in [
        (
            "task_drivers = []",
            "No task driver is allowed",
            "task_drivers = []",
        ),
        (
            "network_modes = [\"overlay\"]",
            "is no network mode",
            "network_modes = [\"overlay\"]",
        ),
    ] {
        owner.change(&limited(fields));
        let found = owner.validate();
        let one = found.iter().find(|it| it.summary.contains(summary));
        assert_eq!(one.unwrap_or_else(|| panic!("{found:?}")).code, code);
    }
    // Names that an apply will tell are no reason to stop a plan.
    owner.change(
        &("resource \"terraform_data\" \"d\" { input = \"raw_exec\" }\n".to_owned()
            + &limited("task_drivers = [terraform_data.d.output]")),
    );
    owner.apply();
    owner.plan().assert_empty();
    assert_eq!(enabled(servers, name).0, json!(["raw_exec"]));
    work.destroy();
    owner.destroy();
}
