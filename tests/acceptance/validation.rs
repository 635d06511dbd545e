//! Every mistake is found by `terraform validate`, which asks no server, and points at its line.

use super::application;
use super::support::{Workspace, terraform::Diagnostic};

/// A configuration with one mistake: what the error must say, and the source line it must point at.
struct Mistake {
    /// The `component` blocks.
    components: &'static str,
    /// Words of the summary or the detail.
    says: &'static [&'static str],
    /// How the line starts that it points at.
    at: &'static str,
}

const MISTAKES: &[Mistake] = &[
    Mistake {
        components: r#"component "web" {
            type  = "daemon"
            image = "a:1"
            update_strategy {
              strategy = "blue-green"
            }
        }"#,
        says: &["one instance on each", "canary = 100"],
        at: "strategy",
    },
    Mistake {
        components: r#"component "web" {
            type  = "daemon"
            image = "a:1"
            update_strategy {
              strategy = "canary"
              canary   = 101
            }
        }"#,
        says: &["percent", "101"],
        at: "canary",
    },
    Mistake {
        components: r#"component "web" {
            type    = "webservise"
            image   = "a:1"
            port "http" { port = 80 }
        }"#,
        says: &["webservise", "webservice"],
        at: "type",
    },
    Mistake {
        components: r#"component "web" {
            type    = "worker"
            image   = "a:1"
            resources {
              cpu = "lots"
            }
        }"#,
        says: &["lots"],
        at: "cpu",
    },
    Mistake {
        components: r#"component "web" {
            type    = "worker"
            image   = "a:1"
            resources {
              memory = "256MB!"
            }
        }"#,
        says: &["256MB!"],
        at: "memory",
    },
    Mistake {
        components: r#"component "web" {
            type    = "worker"
            image   = "a:1"
            restart_policy {
              delay = "soon"
            }
        }"#,
        says: &["soon"],
        at: "delay",
    },
    Mistake {
        components: r#"component "web" {
            type    = "webservice"
            image   = "a:1"
            port "http" {
              port = 80
            }
            port "other" {
              port = 80
            }
        }"#,
        says: &["80"],
        at: "port",
    },
    Mistake {
        components: r#"component "web" {
            type    = "webservice"
            image   = "a:1"
            port "http" {
              port = 70000
            }
        }"#,
        says: &["70000"],
        at: "port",
    },
    Mistake {
        components: r#"component "job" {
            type     = "cron-task"
            image    = "a:1"
            schedule = "every tuesday"
        }"#,
        says: &["every tuesday"],
        at: "schedule",
    },
    Mistake {
        components: r#"component "job" {
            type     = "cron-task"
            image    = "a:1"
        }"#,
        says: &["schedule"],
        at: "component \"job\"",
    },
    Mistake {
        components: r#"component "job" {
            type     = "worker"
            image    = "a:1"
            schedule = "@daily"
        }"#,
        says: &["schedule", "cron-task"],
        at: "schedule",
    },
    Mistake {
        components: r#"component "each" {
            type  = "daemon"
            image = "a:1"
            scaler {
              replicas = 2
            }
        }"#,
        says: &["scaler", "daemon"],
        at: "scaler",
    },
    Mistake {
        components: r#"component "job" {
            type     = "task"
            image    = "a:1"
            ingress {
              host = "a.example.com"
            }
        }"#,
        says: &["ingress", "task"],
        at: "ingress",
    },
    Mistake {
        components: r#"component "web" {
            type = "worker"
        }"#,
        says: &["image"],
        at: "component \"web\"",
    },
    Mistake {
        components: r#"component "web" {
            type   = "worker"
            image  = "a:1"
            driver = "raw_exec"
        }"#,
        says: &["image", "raw_exec"],
        at: "image",
    },
    Mistake {
        components: r#"component "web" {
            type  = "webservice"
            image = "a:1"
            port "http" { port = 80 }
            ingress {
              host = "a.example.com"
              port = "admin"
            }
        }"#,
        says: &["admin"],
        at: "port = \"admin\"",
    },
    Mistake {
        components: r#"component "web" {
            type  = "webservice"
            image = "a:1"
            port "http" { port = 80 }
            ingress {
              host = "a.example.com`) || Host(`b.example.com"
            }
        }"#,
        says: &["host"],
        at: "host",
    },
    Mistake {
        components: r#"component "web" {
            type  = "worker"
            image = "a:1"
            health_check {
              path = "/"
            }
        }"#,
        says: &["port"],
        at: "health_check",
    },
    Mistake {
        components: r#"component "web" {
            type  = "worker"
            image = "a:1"
            scaler {
              min = 5
              max = 2
            }
        }"#,
        says: &["5", "2"],
        at: "m",
    },
    Mistake {
        components: r#"component "web" {
            type  = "worker"
            image = "a:1"
            scaler {
              replicas = 9
              max      = 2
            }
        }"#,
        says: &["9"],
        at: "replicas",
    },
    Mistake {
        components: r#"component "web" {
            type  = "worker"
            image = "a:1"
            volume "one" {
              source     = "a"
              mount_path = "/data"
            }
            volume "two" {
              source     = "b"
              mount_path = "/data"
            }
        }"#,
        says: &["/data"],
        at: "mount_path",
    },
    Mistake {
        components: r#"component "web" {
            type  = "webservice"
            image = "a:1"
        }"#,
        says: &["port"],
        at: "component \"web\"",
    },
    Mistake {
        components: r#"component "Web_Server" {
            type  = "worker"
            image = "a:1"
        }"#,
        says: &["Web_Server"],
        at: "component \"Web_Server\"",
    },
    Mistake {
        components: "",
        says: &["component"],
        at: "resource",
    },
];

fn errors(configuration: &str) -> Vec<Diagnostic> {
    // Nothing listens there: validate must not ask anybody.
    let work = Workspace::bare(&format!(
        "provider \"oam\" {{\n  nomad {{\n    address = \"http://127.0.0.1:1\"\n  }}\n}}\n{configuration}"
    ));
    let all = work.validate();
    all.into_iter()
        .filter(|one| one.severity == "error")
        .collect()
}

#[test]
fn each_mistake_points_at_its_line() {
    let mut wrong = Vec::new();
    for mistake in MISTAKES {
        let errors = errors(&application("wrong", mistake.components));
        let good = match errors.as_slice() {
            [error] => {
                let text = format!("{}\n{}", error.summary, error.detail);
                mistake.says.iter().all(|word| text.contains(word))
                    && error.code.starts_with(mistake.at)
            }
            _ => false,
        };
        if !good {
            wrong.push(format!(
                "{}\n  should say {:?} at `{}…`, says {errors:#?}",
                mistake.components, mistake.says, mistake.at
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn several_mistakes_are_told_at_once() {
    let errors = errors(&application(
        "wrong",
        r#"component "one" {
            type  = "worker"
            image = "a:1"
            resources {
              cpu    = "lots"
              memory = "plenty"
            }
        }
        component "two" {
            type = "nothing"
            image = "a:1"
        }"#,
    ));
    assert_eq!(errors.len(), 3, "{errors:#?}");
}

#[test]
fn bad_names_are_told() {
    let part = r#"component "web" {
        type  = "worker"
        image = "a:1"
    }"#;
    for (name, says) in [("Shop", "Shop"), ("-shop", "-shop"), ("", "name")] {
        let errors = errors(&application(name, part));
        assert_eq!(errors.len(), 1, "{name}: {errors:#?}");
        let text = format!("{}\n{}", errors[0].summary, errors[0].detail);
        assert!(text.contains(says), "{name}: {text}");
        assert!(errors[0].code.starts_with("name"), "{name}: {errors:?}");
    }
    let errors = errors(&application("shop", &format!("tenant = \"a\"\n{part}")));
    assert_eq!(errors.len(), 1, "{errors:#?}");
    assert!(errors[0].code.starts_with("tenant"), "{errors:?}");
}

#[test]
fn values_that_are_not_known_yet_are_no_mistakes() {
    let errors = errors(
        r#"
        variable "unset" { type = string }
        resource "terraform_data" "later" { input = "x" }
        resource "oam_application" "it" {
          name = var.unset
          component "web" {
            type  = "webservice"
            image = terraform_data.later.output
            env   = { A = terraform_data.later.output }
            port "http" { port = length(terraform_data.later.output) }
            resources { cpu = terraform_data.later.output }
          }
        }"#,
    );
    assert!(errors.is_empty(), "{errors:#?}");
}
