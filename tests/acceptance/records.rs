//! Records in Consul that are corrupt, of a newer provider or too large: every operation says so, and none
//! writes over them.

use std::collections::BTreeSet;

use super::support::terraform::{Diagnostic, provider_block};
use super::support::{Workspace, servers};
use super::{ADDRESS, application, yearly};
use serde_json::{Value, json};

/// What may have happened to a record, and what is told of it.
const DAMAGES: [(&str, &str); 3] = [
    ("{\"format\": 1,", "cannot be read"),
    ("", "cannot be read"),
    ("{\"format\": 99, \"later\": true}", "newer provider"),
];

fn text(errors: &[Diagnostic]) -> String {
    let all = errors.iter();
    all.map(|error| format!("{}\n{}\n", error.summary, error.detail))
        .collect()
}

/// A thing with a record: its configuration before and after a change, and where it is.
struct Thing {
    address: &'static str,
    before: String,
    after: String,
    id: String,
    record: String,
    prefix: &'static str,
}

impl Thing {
    fn workspace(&self, configuration: &str) -> Workspace {
        let work = Workspace::new(servers(), configuration);
        work.write("provider.tf", &provider_block(servers(), self.prefix));
        work
    }

    fn record(&self) -> (String, u64) {
        servers().consul.key(&self.record).expect("the record")
    }

    /// Every operation on a record that is damaged, which must all fail with these words and leave it.
    fn is_told_and_left_alone(&self, world: impl Fn() -> Value) {
        let consul = &servers().consul;
        let work = self.workspace(&self.before);
        work.apply();
        let (good, _) = self.record();
        for (damage, says) in DAMAGES {
            work.change(&self.after);
            let plan = work.plan();
            let before = world();
            consul.write_key(&self.record, damage);
            let spoilt = self.record();
            let destroy = ["destroy", "-json", "-auto-approve"];
            let unseen = ["destroy", "-json", "-auto-approve", "-refresh=false"];
            let new = self.workspace(&self.after);
            let block = format!(
                "import {{\n  to = {}\n  id = \"{}\"\n}}\n",
                self.address, self.id
            );
            let imported = self.workspace(&(self.after.clone() + &block));
            for (what, run) in [
                ("apply of a plan", work.apply_plan(&plan)),
                ("plan", work.try_plan()),
                ("refresh", work.run(&["refresh", "-json"])),
                ("apply", work.try_apply()),
                ("destroy", work.run(&destroy)),
                ("destroy without a refresh", work.run(&unseen)),
                ("creation", new.try_apply()),
                ("import", imported.try_plan()),
            ] {
                let told = text(&run.failed());
                assert!(told.contains(says), "{what} with {damage:?}: {told}");
                assert!(
                    told.contains(&self.record),
                    "{what} with {damage:?}: {told}"
                );
                assert_eq!(self.record(), spoilt, "{what}");
            }
            assert_eq!(world(), before, "{damage:?}");
            // Nothing else is lost by it.
            consul.write_key(&self.record, &good);
            work.change(&self.before);
            work.plan().assert_empty();
        }
        work.destroy();
        assert_eq!(consul.key(&self.record), None);
    }
}

fn part(image: u64) -> String {
    yearly("job", &format!("image = \"example:{image}\""))
}

#[test]
fn an_applications_record_is_never_written_over() {
    let thing = Thing {
        address: ADDRESS,
        before: application("spoilt", &part(1)),
        after: application("spoilt", &part(2)),
        id: "spoilt".to_owned(),
        record: "spoilt-app/applications/default/spoilt".to_owned(),
        prefix: "spoilt-app",
    };
    thing.is_told_and_left_alone(|| servers().nomad.job("default", "spoilt-job").unwrap());
}

#[test]
fn a_scopes_record_is_never_written_over() {
    let scope = |dns: &str| {
        format!(
            "resource \"oam_network_scope\" \"it\" {{\n  name = \"spoilt\"\n  dns_servers = [\"{dns}\"]\n}}\n"
        )
    };
    let thing = Thing {
        address: "oam_network_scope.it",
        before: scope("10.0.0.53"),
        after: scope("10.0.0.54"),
        id: "network/spoilt".to_owned(),
        record: "spoilt-scope/scopes/network/spoilt".to_owned(),
        prefix: "spoilt-scope",
    };
    thing.is_told_and_left_alone(|| Value::Null);
}

#[test]
fn a_tenants_record_is_never_written_over() {
    let tenant = |display: &str| {
        format!(
            "resource \"oam_tenant\" \"it\" {{\n  name = \"spoilt\"\n  display_name = \"{display}\"\n}}\n"
        )
    };
    let thing = Thing {
        address: "oam_tenant.it",
        before: tenant("Spoilt"),
        after: tenant("Spoilt again"),
        id: "spoilt".to_owned(),
        record: "spoilt-tenant/tenants/spoilt".to_owned(),
        prefix: "spoilt-tenant",
    };
    thing.is_told_and_left_alone(|| {
        servers().nomad.get("/v1/namespace/spoilt")["Description"].clone()
    });
}

/// What only reads says it, too, and what lists leaves it out with a warning.
#[test]
fn data_sources_tell_of_a_record_that_cannot_be_read() {
    let consul = &servers().consul;
    let workspace = |configuration: &str| {
        let work = Workspace::new(servers(), configuration);
        work.write("provider.tf", &provider_block(servers(), "spoilt-data"));
        work
    };
    let work = workspace(&application("seen", &part(1)));
    work.apply();
    work.change(&application("seen", &part(2)));
    work.apply();
    let reader = |kind: &str, arguments: &str| {
        let output = format!("output \"it\" {{\n  value = data.{kind}.it\n}}\n");
        workspace(&format!(
            "data \"{kind}\" \"it\" {{\n{arguments}\n}}\n{output}"
        ))
    };
    let name = "  name = \"seen\"";
    let record = "spoilt-data/applications/default/seen";
    let revision = "spoilt-data/revisions/default/seen/0000000001";
    let back = format!("resource \"oam_application\" \"it\" {{\n{name}\n  rollback_to = 1\n}}\n");
    let rolled_back = || {
        let other = work.fork();
        other.change(&back);
        other
    };
    for (damage, says) in DAMAGES {
        for (path, work) in [
            (record, reader("oam_application", name)),
            (revision, rolled_back()),
        ] {
            let (good, _) = consul.key(path).unwrap();
            consul.write_key(path, damage);
            let spoilt = consul.key(path);
            let told = text(&work.try_plan().failed());
            assert!(
                told.contains(says) && told.contains(path),
                "{path} {damage:?}: {told}"
            );
            assert_eq!(consul.key(path), spoilt);
            consul.write_key(path, &good);
        }
        let (good, _) = consul.key(record).unwrap();
        consul.write_key(record, damage);
        let plan = reader("oam_applications", "").run(&["plan", "-json"]);
        plan.succeeded();
        let warned = text(&plan.diagnostics);
        assert!(warned.contains("default/seen"), "{warned}");
        consul.write_key(record, &good);
    }
    work.change(&application("seen", &part(2)));
    work.plan().assert_empty();
    work.destroy();
}

/// What a record may have come to, with what is told of it, for what only reads: there are many.
pub fn ruins() -> Vec<(String, &'static str)> {
    let unreadable = [
        String::new(),
        "{\"format\": 1,".to_owned(),
        "null".to_owned(),
        "[1, 2]".to_owned(),
        "\"text\"".to_owned(),
        "{\"format\": \"1\"}".to_owned(),
        "{\"format\": 1}".to_owned(),
        // As large as Consul takes a value at all.
        format!(
            "{{\"format\": 1, \"revision\": \"{}\"}}",
            "x".repeat(524_000)
        ),
        "[".repeat(524_000),
    ];
    let newer = [
        "{\"format\": 2}".to_owned(),
        format!(
            "{{\"format\": 18446744073709551615, \"later\": \"{}\"}}",
            "x".repeat(524_000)
        ),
    ];
    let unreadable = unreadable.map(|text| (text, "cannot be read"));
    let newer = newer.map(|text| (text, "newer provider"));
    unreadable.into_iter().chain(newer).collect()
}

#[test]
fn every_data_source_tells_of_a_record_that_cannot_be_read() {
    const PREFIX: &str = "spoilt-reads";
    let consul = &servers().consul;
    let workspace = |configuration: &str| {
        let work = Workspace::new(servers(), configuration);
        work.write("provider.tf", &provider_block(servers(), PREFIX));
        work
    };
    let scopes = "resource \"oam_network_scope\" \"it\" {\n  name = \"read\"\n}\n\
         resource \"oam_namespace_scope\" \"it\" {\n  name = \"read\"\n  namespace = \"default\"\n}\n\
         resource \"oam_node_pool_scope\" \"it\" {\n  name = \"read\"\n  pool_name = \"default\"\n}\n\
         resource \"oam_tenant\" \"it\" {\n  name = \"ruinread\"\n  display_name = \"Reads\"\n}\n";
    let all = |image: u64| {
        let body = format!("  scopes = [oam_network_scope.it.id]\n{}", part(image));
        scopes.to_owned()
            + &application("readruin", &body)
            + &application("otherruin", &part(1)).replace("\"it\"", "\"other\"")
    };
    let work = workspace(&all(1));
    work.apply();
    work.change(&all(2));
    work.apply();

    // What reads one thing fails, and says what is wrong with which key.
    let source = |kind: &str, name: &str| {
        format!("data \"oam_{kind}\" \"it\" {{\n  name = \"{name}\"\n}}\n")
    };
    let one = [
        ("application", "readruin", "applications/default/readruin"),
        ("network_scope", "read", "scopes/network/read"),
        ("namespace_scope", "read", "scopes/namespace/read"),
        ("node_pool_scope", "read", "scopes/node-pool/read"),
        ("tenant", "ruinread", "tenants/ruinread"),
    ];
    let readers: String = one
        .iter()
        .map(|(kind, name, _)| source(kind, name))
        .collect();
    let reader = workspace(&readers);
    // What reads many leaves it out, with a warning, and has the others.
    let output = |address: &str, path: &str| {
        let name = address.replace("oam_", "");
        format!("output \"{name}\" {{\n  value = data.{address}.it.{path}\n}}\n")
    };
    let lists = workspace(
        &[
            source("application_revisions", "readruin"),
            source("network_scope", "read"),
            "data \"oam_applications\" \"it\" {\n}\n".to_owned(),
            output("oam_application_revisions", "revisions[*].revision"),
            output("oam_network_scope", "applications"),
            output("oam_applications", "ids"),
        ]
        .concat(),
    );
    let listed = || {
        let run = lists.run(&["apply", "-json", "-auto-approve"]);
        run.succeeded();
        let outputs = lists.run(&["output", "-json"]);
        let outputs: Value = serde_json::from_str(&outputs.output).unwrap();
        let values = ["application_revisions", "network_scope", "applications"]
            .map(|name| outputs[name]["value"].clone());
        let said: BTreeSet<_> = run
            .diagnostics
            .into_iter()
            .map(|it| (it.severity, it.summary))
            .collect();
        (values, said)
    };
    let (values, warnings) = listed();
    let seen = [
        json!([1, 2]),
        json!(["default/readruin"]),
        json!(["default/otherruin", "default/readruin"]),
    ];
    assert_eq!(values, seen);
    assert!(warnings.is_empty(), "{warnings:#?}");

    let key = |path: &str| format!("{PREFIX}/{path}");
    let paths = one.map(|(_, _, path)| key(path));
    let revision = key("revisions/default/readruin/0000000001");
    for (ruin, says) in ruins() {
        let shown: String = ruin.chars().take(40).collect();
        let good = |path: &String| consul.key(path).expect("the record").0;
        let before: Vec<_> = paths.iter().map(good).collect();
        for path in &paths {
            consul.write_key(path, &ruin);
        }
        let spoilt = paths.each_ref().map(|path| consul.key(path));
        let errors = reader.try_plan().failed();
        assert_eq!(errors.len(), paths.len(), "{shown}: {errors:#?}");
        for path in &paths {
            let told = errors
                .iter()
                .find(|error| error.detail.contains(path.as_str()));
            let told = told.unwrap_or_else(|| panic!("{path} {shown}: {errors:#?}"));
            assert!(told.summary.contains(says), "{path} {shown}: {told:#?}");
            // However much is wrong with it.
            assert!(told.detail.len() < 1_000, "{path} {shown}: {told:#?}");
        }
        assert_eq!(paths.each_ref().map(|path| consul.key(path)), spoilt);
        for (path, good) in paths.iter().zip(&before) {
            consul.write_key(path, good);
        }

        let application = &paths[0];
        let before = (good(application), good(&revision));
        consul.write_key(application, &ruin);
        consul.write_key(&revision, &ruin);
        let (values, warnings) = listed();
        assert_eq!(
            values,
            [json!([2]), json!([]), json!(["default/otherruin"])],
            "{shown}"
        );
        let about = |what: &str| {
            let all = warnings.iter();
            all.filter(|(severity, summary)| severity == "warning" && summary.contains(what))
                .count()
        };
        assert_eq!(warnings.len(), 3, "{shown}: {warnings:#?}");
        assert_eq!(about("The record of default/readruin"), 1);
        assert_eq!(about("The record of revision 1 of default/readruin"), 1);
        assert_eq!(about("the scope network/read is in use"), 1);
        assert_eq!((good(application), good(&revision)), (ruin.clone(), ruin));
        consul.write_key(application, &before.0);
        consul.write_key(&revision, &before.1);
    }
    work.plan().assert_empty();
    work.destroy();
    assert_eq!(
        consul.keys(&format!("{PREFIX}/revisions")),
        Vec::<String>::new()
    );
}

#[test]
fn what_is_too_large_for_a_record_is_not_applied() {
    let huge = |name: &str, size: usize| {
        let text = "x".repeat(size);
        let more = format!("image = \"example:1\"\n    env = {{ A = \"{text}\" }}");
        application(name, &yearly("job", &more))
    };
    let work = Workspace::new(servers(), &huge("huge", 520_000));
    let errors = work.try_apply().failed();
    assert!(
        text(&errors).contains("too large for its record"),
        "{errors:#?}"
    );
    assert_eq!(servers().consul.record("oam", "default", "huge"), None);
    assert_eq!(servers().nomad.job("default", "huge-job"), None);

    // Of an update, all stays as it was.
    work.change(&application("huge", &part(1)));
    work.apply();
    let record = servers().consul.key("oam/applications/default/huge");
    let job = servers().nomad.job("default", "huge-job");
    work.change(&huge("huge", 520_000));
    let errors = work.try_apply().failed();
    assert!(
        text(&errors).contains("too large for its record"),
        "{errors:#?}"
    );
    assert_eq!(
        servers().consul.key("oam/applications/default/huge"),
        record
    );
    assert_eq!(servers().nomad.job("default", "huge-job"), job);
    work.change(&application("huge", &part(1)));
    work.plan().assert_empty();
    work.destroy();
}
