//! What is a tenant's is reached by its own applications alone, and so attacked here from each side: by
//! applications of other tenants and of none, by jobs that are written by hand in the tenant's namespace,
//! and with the tenant's own tokens.

mod hosts;
mod namespaces;
mod secrets;
mod tokens;
mod volumes;

use serde_json::{Value, json};

use super::{guarded, provider, tenant, text, workspace};
use crate::support::api::Answer;
use crate::support::terraform::Run;
use crate::support::{Servers, eventually, servers};

/// A component that idles in a plain process and serves a port, with further lines.
fn web(name: &str, more: &str) -> String {
    format!(
        r#"
  component "{name}" {{
    type    = "webservice"
    driver  = "raw_exec"
    command = ["/bin/sleep", "100000"]
    port "http" {{ port = 8080 }}
    update_strategy {{ min_healthy_time = "0s" }}
    {more}
  }}"#
    )
}

/// An application of a tenant, or of none where its name is empty.
fn application(name: &str, tenant: &str, content: &str) -> String {
    let tenant = match tenant {
        "" => String::new(),
        tenant => format!("  tenant = \"{tenant}\"\n"),
    };
    super::super::application(name, &format!("{tenant}{content}"))
}

/// The source lines at which the errors of a run are, in order.
fn lines(run: &Run) -> Vec<String> {
    let mut lines: Vec<_> = run.failed().into_iter().map(|error| error.code).collect();
    lines.sort();
    lines
}

/// That nothing of an application is anywhere.
fn nothing(servers: &Servers, prefix: &str, name: &str) {
    let keys = servers.consul.keys(&format!("{prefix}/applications/"));
    assert!(
        !keys.iter().any(|key| key.ends_with(&format!("/{name}"))),
        "{keys:?}"
    );
    assert_eq!(
        servers.nomad.job_ids(&format!("{name}-")),
        Vec::<String>::new()
    );
}

/// A job that somebody writes by hand: one raw_exec task that runs a line of shell.
fn by_hand(namespace: &str, id: &str, line: &str) -> Value {
    json!({
        "ID": id, "Name": id, "Namespace": namespace, "Type": "service", "Datacenters": ["*"],
        "TaskGroups": [{
            "Name": "probe", "Count": 1,
            "RestartPolicy": { "Attempts": 0, "Interval": 30_000_000_000_i64, "Mode": "fail" },
            "ReschedulePolicy": { "Attempts": 0, "Unlimited": false },
            "Tasks": [{
                "Name": "probe", "Driver": "raw_exec",
                "Config": { "command": "/bin/sh", "args": ["-c", line] },
            }],
        }],
    })
}

/// A file below `alloc/data` of the running allocation of a job.
fn file(servers: &Servers, namespace: &str, job: &str, name: &str) -> String {
    eventually("the job has written its file", || {
        let all = servers.nomad.allocations(namespace, job);
        let id = all.first()?["ID"].as_str()?.to_owned();
        let path = format!("/v1/client/fs/cat/{id}?path=alloc/data/{name}");
        let answer = servers.nomad.ask(reqwest::Method::GET, &path, None)?;
        let good = answer.status == 200 && answer.body.ends_with('\n');
        good.then(|| answer.body.trim().to_owned())
    })
}

/// The identity that Nomad gives a task in a namespace, for an audience.
fn identity(servers: &Servers, namespace: &str, audience: &str) -> String {
    let id = format!("{namespace}-probe-{}", audience.replace('.', "-"));
    let line = "cat ${NOMAD_SECRETS_DIR}/nomad_probe.jwt > ${NOMAD_ALLOC_DIR}/data/jwt; \
                echo >> ${NOMAD_ALLOC_DIR}/data/jwt; exec sleep 100000";
    let mut job = by_hand(namespace, &id, line);
    job["TaskGroups"][0]["Tasks"][0]["Identities"] = json!([{
        "Name": "probe", "Audience": [audience], "File": true, "TTL": 3_600_000_000_000_i64,
    }]);
    servers.nomad.register(&job);
    let identity = file(servers, namespace, &id, "jwt");
    servers.nomad.stop(namespace, &id, true);
    identity
}

fn denied(answer: Option<Answer>) -> bool {
    answer.is_some_and(|answer| answer.status == 403)
}
