//! Terraform or OpenTofu with the provider that was just built.
//!
//! A [`Workspace`] is a folder with a configuration and its state. The provider is found through
//! `dev_overrides`, so nothing is installed and no registry is asked. `OAM_TEST_CLI` selects the
//! program: `terraform`, `terraform-next`, `opentofu`, or by default `cli` (see `tools/servers`).

use super::policies::{Role, Tokens};
use super::process::clean_environment;
use super::servers::Servers;
use super::tools;
use serde_json::Value;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A folder in which Terraform works.
pub struct Workspace {
    folder: tempfile::TempDir,
    program: PathBuf,
    environment: Vec<(String, String)>,
}

/// What one run of Terraform came to.
#[derive(Debug)]
pub struct Run {
    /// The exit code; `None` where a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub output: String,
    /// Standard error.
    pub errors: String,
    /// The diagnostics, of all severities.
    pub diagnostics: Vec<Diagnostic>,
}

/// One diagnostic as Terraform prints it with `-json`.
#[derive(Debug, Clone)]
pub struct Diagnostic {
    /// `error` or `warning`.
    pub severity: String,
    /// The first line.
    pub summary: String,
    /// What follows it.
    pub detail: String,
    /// The source text it points at, without leading and trailing blanks; empty where it points at none.
    pub code: String,
    /// The lines it points at, counted from 1.
    pub line: Option<u64>,
}

/// A planned change, as `show -json` prints it.
#[derive(Debug)]
pub struct Plan {
    /// The whole document.
    pub json: Value,
    /// The file it was saved to, for [`Workspace::apply_plan`].
    pub file: String,
}

impl Workspace {
    /// A folder with the provider configured for these servers, in `provider.tf`; further
    /// configuration goes to `main.tf`. With ACLs on, the provider may manage applications without a
    /// tenant, and no more ([`Role::Applications`]).
    pub fn new(servers: &Servers, configuration: &str) -> Self {
        Self::with(
            servers,
            configuration,
            &servers.tokens(Role::Applications, "oam"),
        )
    }

    /// As [`Workspace::new`], with these tokens.
    pub fn with(servers: &Servers, configuration: &str, tokens: &Tokens) -> Self {
        let workspace = Self::bare(configuration);
        workspace.give(servers, tokens);
        workspace
    }

    /// Has the provider use these tokens from now on.
    pub fn give(&self, servers: &Servers, tokens: &Tokens) {
        self.write("provider.tf", &provider_block_with(servers, "oam", tokens));
    }

    /// A folder with this configuration alone in `main.tf`: the provider block is the caller's.
    pub fn bare(configuration: &str) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("oam-tf-")
            .tempdir()
            .unwrap();
        let cli = std::env::var("OAM_TEST_CLI").unwrap_or_else(|_| "cli".to_owned());
        let binary = Path::new(env!("CARGO_BIN_EXE_terraform-provider-oam"));
        let override_folder = folder.path().join(".provider");
        std::fs::create_dir(&override_folder).unwrap();
        std::os::unix::fs::symlink(binary, override_folder.join("terraform-provider-oam")).unwrap();
        std::fs::write(
            folder.path().join(".terraformrc"),
            format!(
                "provider_installation {{\n  dev_overrides {{ \"oam/oam\" = \"{}\" }}\n  direct {{}}\n}}\n",
                override_folder.display()
            ),
        )
        .unwrap();
        let workspace = Self {
            program: tools::program(&cli),
            environment: Vec::new(),
            folder,
        };
        workspace.write("main.tf", configuration);
        workspace.write(
            "versions.tf",
            "terraform {\n  required_providers {\n    oam = { source = \"oam/oam\" }\n  }\n}\n",
        );
        workspace
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file of the configuration.
    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).unwrap();
    }

    /// Replaces `main.tf`.
    pub fn change(&self, configuration: &str) {
        self.write("main.tf", configuration);
    }

    /// Sets an environment variable for the runs that follow.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        clean_environment(&mut command);
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env(
                "TF_CLI_CONFIG_FILE",
                self.folder.path().join(".terraformrc"),
            )
            .env("HOME", self.folder.path())
            .env("TMPDIR", self.folder.path())
            .env("TF_IN_AUTOMATION", "1")
            .env("TF_INPUT", "0")
            .env("CHECKPOINT_DISABLE", "1")
            .env("TF_LOG_PROVIDER", "DEBUG")
            .env("TF_LOG_PATH", self.folder.path().join("provider.log"))
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs Terraform to its end.
    pub fn run(&self, arguments: &[&str]) -> Run {
        let output = self
            .command(arguments)
            .output()
            .expect("Terraform can be run");
        Run::new(output)
    }

    /// Starts Terraform and leaves it running, in a process group of its own.
    pub fn start(&self, arguments: &[&str]) -> Running {
        let child = self
            .command(arguments)
            .process_group(0)
            .spawn()
            .expect("Terraform can be run");
        Running { child }
    }

    /// Whether this is Terraform, and 1.`minor` or newer; says `skipped` where it is not.
    pub fn is_terraform(&self, minor: u64) -> bool {
        let version = self.run(&["version"]).output;
        let first = version.lines().next().unwrap_or_default();
        let found = first
            .strip_prefix("Terraform v1.")
            .and_then(|rest| rest.split('.').next()?.parse::<u64>().ok());
        let is = found.is_some_and(|found| found >= minor);
        if !is {
            println!("skipped: {first} is not Terraform 1.{minor} or newer");
        }
        is
    }

    /// `validate`: its diagnostics.
    pub fn validate(&self) -> Vec<Diagnostic> {
        let run = self.run(&["validate", "-json"]);
        let document: Value = serde_json::from_str(&run.output)
            .unwrap_or_else(|error| panic!("validate printed no JSON ({error}): {run:?}"));
        diagnostics(document["diagnostics"].as_array().unwrap())
    }

    /// `plan`, which must succeed.
    pub fn plan(&self) -> Plan {
        self.plan_with(&[])
    }

    /// `plan` with further arguments, which must succeed.
    pub fn plan_with(&self, arguments: &[&str]) -> Plan {
        let file = "saved.tfplan".to_owned();
        let out = format!("-out={file}");
        let mut all = vec!["plan", "-json", out.as_str()];
        all.extend(arguments);
        self.run(&all).succeeded();
        let run = self.run(&["show", "-json", &file]);
        let json = serde_json::from_str(&run.output)
            .unwrap_or_else(|error| panic!("show printed no JSON ({error}): {run:?}"));
        Plan { json, file }
    }

    /// `plan`, whatever it comes to.
    pub fn try_plan(&self) -> Run {
        self.run(&["plan", "-json"])
    }

    /// `apply`, which must succeed.
    pub fn apply(&self) -> Run {
        let run = self.try_apply();
        run.succeeded();
        run
    }

    /// `apply`, whatever it comes to.
    pub fn try_apply(&self) -> Run {
        self.run(&["apply", "-json", "-auto-approve"])
    }

    /// `apply` of a saved plan, whatever it comes to.
    pub fn apply_plan(&self, plan: &Plan) -> Run {
        self.run(&["apply", "-json", &plan.file])
    }

    /// `destroy`, which must succeed.
    pub fn destroy(&self) -> Run {
        let run = self.run(&["destroy", "-json", "-auto-approve"]);
        run.succeeded();
        run
    }

    /// The values of a resource in the state (`oam_application.shop`), or `None` where it is not in it.
    pub fn state(&self, address: &str) -> Option<Value> {
        let resource = self.resource(address)?;
        Some(resource["values"].clone())
    }

    /// Whether the state has the resource marked as tainted.
    pub fn tainted(&self, address: &str) -> bool {
        self.resource(address)
            .is_some_and(|resource| resource["tainted"] == true)
    }

    fn resource(&self, address: &str) -> Option<Value> {
        let run = self.run(&["show", "-json"]);
        let document: Value = serde_json::from_str(&run.output)
            .unwrap_or_else(|error| panic!("show printed no JSON ({error}): {run:?}"));
        let resources = document["values"]["root_module"]["resources"].as_array()?;
        resources
            .iter()
            .find(|resource| resource["address"] == address)
            .cloned()
    }

    /// What the provider logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("provider.log")).unwrap_or_default()
    }

    /// A second folder on the same state and configuration, as another pipeline would have it.
    pub fn fork(&self) -> Self {
        let mut other = Self::bare("");
        for entry in std::fs::read_dir(self.folder.path()).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name();
            let ours = name.to_string_lossy().starts_with(".provider")
                || name == ".terraformrc"
                || name == "provider.log";
            if entry.file_type().unwrap().is_file() && !ours {
                std::fs::copy(entry.path(), other.folder.path().join(name)).unwrap();
            }
        }
        other.environment.clone_from(&self.environment);
        other
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.folder.disable_cleanup(true);
            super::servers::keep_shared_logs();
            eprintln!(
                "the failed test's workspace, with provider.log, is kept in {}",
                self.folder.path().display()
            );
        }
    }
}

/// A provider block for these servers, with certificates and with tokens for [`Role::Applications`].
pub fn provider_block(servers: &Servers, key_prefix: &str) -> String {
    let tokens = servers.tokens(Role::Applications, key_prefix);
    provider_block_with(servers, key_prefix, &tokens)
}

/// A provider block for these servers, with certificates and with these tokens.
pub fn provider_block_with(servers: &Servers, key_prefix: &str, tokens: &Tokens) -> String {
    let mut tls = String::new();
    if let (Some(_), Some(client)) = (&servers.authority, &servers.client) {
        tls = format!(
            "    ca_file = \"{}\"\n    cert_file = \"{}\"\n    key_file = \"{}\"\n",
            servers.folder().join("tests-ca.pem").display(),
            client.certificate.display(),
            client.key.display(),
        );
    }
    let token = |token: &Option<String>| match token {
        Some(token) => format!("    token = \"{token}\"\n"),
        None => String::new(),
    };
    let vault = match &tokens.vault {
        Some(_) => format!(
            "  vault {{\n    address = \"{}\"\n{}{tls}  }}\n",
            servers.vault().address,
            token(&tokens.vault)
        ),
        None => String::new(),
    };
    format!(
        "provider \"oam\" {{\n  nomad {{\n    address = \"{}\"\n{}{tls}  }}\n  consul {{\n    \
         address = \"{}\"\n{}{tls}    key_prefix = \"{key_prefix}\"\n  }}\n{vault}}}\n",
        servers.nomad.address,
        token(&tokens.nomad),
        servers.consul.address,
        token(&tokens.consul),
    )
}

/// Terraform on its way.
pub struct Running {
    child: Child,
}

impl Running {
    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends Terraform alone a SIGINT, as a pipeline's cancel button does.
    pub fn interrupt(&self) {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    }

    /// The provider process that this Terraform started, if it runs now.
    pub fn provider(&self) -> Option<nix::unistd::Pid> {
        providers(self.child.id()).first().copied()
    }

    /// Waits for the end.
    pub fn wait(self) -> Run {
        Run::new(self.child.wait_with_output().unwrap())
    }
}

/// The provider processes that a Terraform process has started and that run now.
pub fn providers(terraform: u32) -> Vec<nix::unistd::Pid> {
    let parent = terraform.to_string();
    let listing = Command::new("ps")
        .args(["-eo", "pid=,ppid=,args="])
        .output();
    let listing = String::from_utf8(listing.unwrap().stdout).unwrap();
    let found = listing.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let pid: i32 = words.next()?.parse().ok()?;
        let ours = words.next()? == parent && line.contains("terraform-provider-oam");
        ours.then(|| nix::unistd::Pid::from_raw(pid))
    });
    found.collect()
}

impl Run {
    fn new(output: std::process::Output) -> Self {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let found: Vec<Value> = text
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|message| message["type"] == "diagnostic")
            .map(|message| message["diagnostic"].clone())
            .collect();
        Self {
            code: output.status.code(),
            diagnostics: diagnostics(&found),
            output: text,
            errors: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Panics with what went wrong unless the run succeeded.
    pub fn succeeded(&self) {
        assert_eq!(
            self.code,
            Some(0),
            "{:#?}\n{}",
            self.diagnostics,
            self.errors
        );
    }

    /// The error diagnostics of a run that must have failed.
    pub fn failed(&self) -> Vec<Diagnostic> {
        assert_ne!(
            self.code,
            Some(0),
            "it should have failed:\n{}",
            self.output
        );
        let errors: Vec<_> = self
            .diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.severity == "error")
            .cloned()
            .collect();
        assert!(
            !errors.is_empty(),
            "no diagnostic:\n{}\n{}",
            self.output,
            self.errors
        );
        errors
    }
}

fn diagnostics(all: &[Value]) -> Vec<Diagnostic> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    all.iter()
        .map(|diagnostic| Diagnostic {
            severity: text(&diagnostic["severity"]),
            summary: text(&diagnostic["summary"]),
            detail: text(&diagnostic["detail"]),
            code: text(&diagnostic["snippet"]["code"]).trim().to_owned(),
            line: diagnostic["range"]["start"]["line"].as_u64(),
        })
        .filter(|diagnostic| diagnostic.summary != "Provider development overrides are in effect")
        .collect()
}

impl Plan {
    /// The planned change of a resource: `actions`, `before`, `after`, `after_unknown`.
    pub fn change(&self, address: &str) -> &Value {
        let changes = self.json["resource_changes"].as_array().unwrap();
        let change = changes.iter().find(|change| change["address"] == address);
        &change.unwrap_or_else(|| panic!("{address} is not in the plan"))["change"]
    }

    /// The actions planned for a resource: `["no-op"]`, `["update"]`, `["delete", "create"]`…
    pub fn actions(&self, address: &str) -> Vec<String> {
        serde_json::from_value(self.change(address)["actions"].clone()).unwrap()
    }

    /// Whether nothing at all is to be done, outputs included.
    pub fn is_empty(&self) -> bool {
        let none = |list: &Value, of: fn(&Value) -> &Value| {
            list.as_array().is_none_or(|all| {
                all.iter()
                    .all(|one| of(one)["actions"] == serde_json::json!(["no-op"]))
            })
        };
        let outputs = self.json["output_changes"].as_object();
        none(
            &self.json["resource_changes"],
            |resource| &resource["change"],
        ) && outputs.is_none_or(|all| {
            all.values()
                .all(|one| one["actions"] == serde_json::json!(["no-op"]))
        })
    }

    /// Asserts that nothing is to be done and that nothing drifted.
    pub fn assert_empty(&self) {
        assert!(
            self.is_empty(),
            "the plan is not empty: {:#}",
            self.json["resource_changes"]
        );
        assert_eq!(
            self.json["resource_drift"],
            Value::Null,
            "something drifted"
        );
    }

    /// What a refresh found changed: `before` and `after` of a resource.
    pub fn drift(&self, address: &str) -> Option<&Value> {
        let all = self.json["resource_drift"].as_array()?;
        let drift = all.iter().find(|change| change["address"] == address)?;
        Some(&drift["change"])
    }
}
