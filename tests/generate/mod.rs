//! Applications of all kinds, in the shape of the HCL, for tests of what holds for every one.
#![allow(dead_code, clippy::unwrap_used, clippy::panic)]

use oam_provider::oam::ComponentType;
use oam_provider::oam::application::Life;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

/// Text with what JSON, HCL, YAML, Nomad and Traefik give a meaning to in it.
pub fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{0,8}",
        "[ -~]{0,12}",
        Just("${NOMAD_PORT_http}".to_owned()),
        Just("a`b\"c\\d=e/f\n".to_owned()),
        Just("æøå 日本".to_owned()),
        select(vec![
            "yes",
            "null",
            "1.50",
            "0x1f",
            "~",
            "- a: b #c",
            "{{ x }}"
        ])
        .prop_map(str::to_owned),
    ]
}

fn label() -> impl Strategy<Value = String> {
    "[a-z]([a-z0-9-]{0,5}[a-z0-9])?"
}

/// An object of those fields that are there.
fn block(fields: Vec<(&'static str, Option<Value>)>) -> Value {
    let set = fields
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(set.collect::<Map<_, _>>())
}

/// Any of the values, or none.
fn maybe<T: Clone + std::fmt::Debug + 'static>(
    values: Vec<T>,
) -> impl Strategy<Value = Option<Value>>
where
    Value: From<T>,
{
    option::of(select(values)).prop_map(|value| value.map(Value::from))
}

fn resources() -> impl Strategy<Value = Value> {
    let cpu = prop_oneof!["[1-9][0-9]{0,3}m", "[1-9]", "0\\.[1-9]"];
    let memory = prop_oneof!["[1-9][0-9]{1,3}Mi", "[1-9]Gi", "1\\.5Gi"];
    (option::of(cpu), option::of(memory)).prop_map(|(cpu, memory)| {
        block(vec![
            ("cpu", cpu.map(Value::from)),
            ("memory", memory.map(Value::from)),
        ])
    })
}

fn restart_policy() -> impl Strategy<Value = Value> {
    let mode = maybe(vec!["fail", "delay"]);
    (option::of(1..5u64), mode, any::<bool>()).prop_map(|(attempts, mode, times)| {
        block(vec![
            ("attempts", attempts.map(Value::from)),
            ("mode", mode),
            ("delay", times.then(|| json!("1m30s"))),
            ("interval", times.then(|| json!("2h"))),
        ])
    })
}

fn health_check() -> impl Strategy<Value = Value> {
    let path = maybe(vec!["/", "/health?ready=1", "/a%20b"]);
    let duration = || maybe(vec!["1s", "1m", "2500ms"]);
    (any::<bool>(), path, duration(), duration()).prop_map(|(tcp, path, interval, timeout)| {
        block(vec![
            ("type", tcp.then(|| json!("tcp"))),
            ("path", path.filter(|_| !tcp)),
            ("interval", interval),
            ("timeout", timeout),
        ])
    })
}

fn scaler(scales: bool) -> impl Strategy<Value = Value> {
    let metric = maybe(vec!["cpu", "memory", "custom"]);
    let bounds = (1..5u64, 0..5u64, option::of(0..5u64));
    (bounds, metric, any::<bool>()).prop_map(move |((min, room, replicas), metric, wanted)| {
        let scales = scales && wanted;
        let max = min + room;
        block(vec![
            (
                "replicas",
                replicas.map(|more| (min + more.min(room)).into()),
            ),
            ("min", Some(min.into())),
            ("max", scales.then(|| max.into())),
            ("metric", metric.filter(|_| scales)),
        ])
    })
}

fn ingress() -> impl Strategy<Value = Value> {
    let middleware = vec(select(vec!["auth@file", "zip", "a.b-c_d"]), 0..3);
    (
        any::<bool>(),
        option::of(any::<bool>()),
        option::of(middleware),
    )
        .prop_map(|(tls, strip, middleware)| {
            block(vec![
                ("host", Some(json!("shop.example.com"))),
                ("tls", tls.then_some(json!(true))),
                ("path_prefix", strip.map(|_| json!("/api"))),
                ("strip_prefix", strip.map(Value::from)),
                ("middleware", middleware.map(Value::from)),
            ])
        })
}

fn ports() -> impl Strategy<Value = Value> {
    let port = (any::<bool>(), maybe(vec!["TCP", "UDP"]));
    btree_map(label(), port, 0..3).prop_map(|ports| {
        let mut made = Map::new();
        for (number, (label, (expose, protocol))) in (8000_u64..).zip(ports) {
            let port = block(vec![
                ("port", Some(number.into())),
                ("expose", expose.then_some(json!(true))),
                ("protocol", protocol),
            ]);
            made.insert(label, port);
        }
        made.insert("http".to_owned(), json!({"port": 80}));
        Value::Object(made)
    })
}

/// Always with the volume `data`, which containers mount.
fn volumes() -> impl Strategy<Value = Value> {
    let volume = (any::<bool>(), 0..3_u8);
    btree_map(label(), volume, 0..3).prop_map(|volumes| {
        let made = volumes.into_iter().map(|(label, (reads, kind))| {
            let mount = format!("/mnt/{label}");
            let mut volume = json!({"source": "data", "mount_path": mount, "read_only": reads});
            if kind == 1 {
                volume["type"] = json!("csi");
                volume["access_mode"] = json!("multi-node-multi-writer");
            } else if kind == 2 {
                volume["attachment_mode"] = json!("file-system");
                volume["sticky"] = json!(true);
            }
            (label, volume)
        });
        let mut made: Map<_, _> = made.collect();
        let data = json!({"source": "data", "mount_path": "/data"});
        made.insert("data".to_owned(), data);
        Value::Object(made)
    })
}

fn secrets() -> impl Strategy<Value = Value> {
    let path = select(vec!["secret/data/db", "kv/old", "secret/data/a.b/c-d"]);
    let fields = btree_map("[a-z][a-z0-9_-]{0,5}", any::<bool>(), 1..3);
    let signal = option::of(maybe(vec!["SIGUSR1", "SIGHUP"]));
    btree_map(path, (fields, signal), 1..3).prop_map(|secrets| {
        let mut number = 0;
        let made = secrets.into_iter().map(|(path, (fields, signal))| {
            let env = fields.into_keys().map(|field| {
                number += 1;
                (field, Value::from(format!("SECRET_{number}")))
            });
            let secret = block(vec![
                ("env", Some(Value::Object(env.collect()))),
                ("change_mode", signal.as_ref().map(|_| json!("signal"))),
                ("change_signal", signal.flatten()),
            ]);
            (path.to_owned(), secret)
        });
        Value::Object(made.collect())
    })
}

fn env_from() -> impl Strategy<Value = Value> {
    btree_map("FROM_[A-Z]{1,3}", any::<bool>(), 0..3).prop_map(|variables| {
        let made = variables.into_iter().map(|(name, vault)| {
            let from = match vault {
                true => json!({"vault_secret": {"path": "secret/data/db", "field": "password"}}),
                false => json!({"consul_key": {"key": "config/a.b"}}),
            };
            (name, from)
        });
        Value::Object(made.collect())
    })
}

fn constraints() -> impl Strategy<Value = Value> {
    let attribute = select(vec!["attr.kernel.name", "${meta.rack}", "node.class"]);
    let operator = maybe(vec!["=", "!=", ">=", "set_contains"]);
    let constraint = (attribute, operator, "[a-z]{1,5}");
    vec(constraint, 0..3).prop_map(|all| {
        let all = all.into_iter().map(|(attribute, operator, value)| {
            block(vec![
                ("attribute", Some(attribute.into())),
                ("operator", operator),
                ("value", Some(value.into())),
            ])
        });
        Value::Array(all.collect())
    })
}

fn affinity(prefers: bool) -> impl Strategy<Value = Value> {
    let word = || maybe(vec!["large", "a.b", "x/y@z"]);
    let meta = option::of(btree_map("[a-z]{1,4}", "[a-z]{1,4}", 0..3));
    let weight = maybe(vec![-100, -1, 1, 70]);
    let spread = maybe(vec!["node.datacenter", "${meta.rack}"]);
    (word(), word(), meta, weight, spread, constraints()).prop_map(
        move |(class, cloud, meta, weight, spread, constraints)| {
            block(vec![
                ("node_class", class.filter(|_| prefers)),
                ("cloud", cloud.filter(|_| prefers)),
                (
                    "node_meta",
                    meta.filter(|_| prefers).map(|meta| json!(meta)),
                ),
                ("weight", weight),
                ("spread", spread.filter(|_| prefers)),
                ("constraint", Some(constraints)),
            ])
        },
    )
}

fn update_strategy(everywhere: bool) -> impl Strategy<Value = Value> {
    let strategy = match everywhere {
        true => maybe(vec!["rolling", "canary"]).boxed(),
        false => maybe(vec!["rolling", "canary", "blue-green"]).boxed(),
    };
    let numbers = (option::of(1..4_u64), option::of(1..3_u64));
    let flags = (option::of(any::<bool>()), option::of(any::<bool>()));
    let health = maybe(vec!["checks", "task_states", "manual"]);
    (strategy, numbers, flags, health, any::<bool>()).prop_map(
        |(strategy, (parallel, canary), (revert, promote), health, times)| {
            let canaries = strategy
                .as_ref()
                .is_some_and(|strategy| strategy != "rolling");
            block(vec![
                ("strategy", strategy),
                ("max_parallel", parallel.map(Value::from)),
                ("canary", canary.filter(|_| canaries).map(Value::from)),
                ("auto_revert", revert.map(Value::from)),
                (
                    "auto_promote",
                    promote.filter(|_| canaries).map(Value::from),
                ),
                ("health_check", health),
                ("min_healthy_time", times.then(|| json!("1s"))),
                ("healthy_deadline", times.then(|| json!("1m"))),
                ("progress_deadline", times.then(|| json!("0s"))),
            ])
        },
    )
}

fn migration() -> impl Strategy<Value = Value> {
    let health = maybe(vec!["checks", "task_states"]);
    (option::of(1..4_u64), health, any::<bool>()).prop_map(|(parallel, health, times)| {
        block(vec![
            ("max_parallel", parallel.map(Value::from)),
            ("health_check", health),
            ("min_healthy_time", times.then(|| json!("1s"))),
            ("healthy_deadline", times.then(|| json!("1m"))),
        ])
    })
}

fn service_discovery() -> impl Strategy<Value = Value> {
    let name = maybe(vec!["catalog", "db-1"]);
    let tags = option::of(vec(select(vec!["v1", "a.b@c"]), 0..3));
    (name, tags, option::of(health_check())).prop_map(|(name, tags, check)| {
        block(vec![
            ("service_name", name),
            ("tags", tags.map(Value::from)),
            ("check", check),
        ])
    })
}

/// Containers or sidecars, named with this prefix, each port and name its own.
fn containers(prefix: &'static str, first: u64) -> impl Strategy<Value = Value> {
    let env = option::of(btree_map("[A-Z_]{1,4}", text(), 0..2));
    let parts = (
        any::<bool>(),
        option::of(vec(text(), 0..3)),
        env,
        option::of(resources()),
        any::<bool>(),
        any::<bool>(),
    );
    vec(parts, 0..3).prop_map(move |all| {
        let made = all.into_iter().enumerate().map(
            |(number, (image, args, env, resources, mounts, serves))| {
                let mut volumes = vec![json!({"source": "data", "destination": "/seen"})];
                if image {
                    volumes
                        .push(json!({"source": "/srv", "destination": "/srv", "read_only": true}));
                }
                let port = first + number as u64;
                let label = format!("{prefix}{number}");
                let ports = Value::Object(
                    [(label.clone(), json!({"port": port}))]
                        .into_iter()
                        .collect(),
                );
                let container = block(vec![
                    ("image", image.then(|| json!("side:1"))),
                    ("command", (!image).then(|| json!(["/bin/side"]))),
                    ("args", args.map(Value::from)),
                    ("env", env.map(|env| json!(env))),
                    ("resources", resources),
                    (
                        "volume",
                        Some(if mounts { volumes.into() } else { json!([]) }),
                    ),
                    ("port", Some(if serves { ports } else { json!({}) })),
                ]);
                (label, container)
            },
        );
        Value::Object(made.collect())
    })
}

fn lifecycle() -> impl Strategy<Value = Option<Value>> {
    let hook = maybe(vec!["prestart", "poststart", "poststop"]);
    option::of((hook, option::of(any::<bool>()))).prop_map(|lifecycle| {
        let (hook, sidecar) = lifecycle?;
        let last = hook.as_ref().is_some_and(|hook| hook == "poststop");
        Some(block(vec![
            ("hook", hook),
            (
                "sidecar",
                sidecar
                    .filter(|sidecar| !(last && *sidecar))
                    .map(Value::from),
            ),
        ]))
    })
}

fn sidecars() -> impl Strategy<Value = Value> {
    (containers("side", 9100), lifecycle()).prop_map(|(mut sidecars, lifecycle)| {
        for sidecar in sidecars.as_object_mut().unwrap().values_mut() {
            if let Some(lifecycle) = &lifecycle {
                sidecar["lifecycle"] = lifecycle.clone();
            }
        }
        sidecars
    })
}

/// A component of one of these types; in a mesh where it is said so.
fn component(kinds: Vec<&'static str>, mesh: bool) -> impl Strategy<Value = Value> {
    select(kinds)
        .prop_flat_map(move |kind| of_type(kind, mesh).boxed())
        .boxed()
}

fn of_type(kind: &'static str, mesh: bool) -> impl Strategy<Value = Value> {
    let ty = ComponentType::from_name(kind).unwrap();
    let life = ty.life();
    let machine = ty == ComponentType::Vm;
    let (only_images, no_image) = (
        ty == ComponentType::Containerized,
        ty == ComponentType::Executable,
    );
    let serves = matches!(
        ty,
        ComponentType::Webservice
            | ComponentType::Daemon
            | ComponentType::Containerized
            | ComponentType::Vm
            | ComponentType::System
    );
    let program = (
        any::<bool>(),
        vec(text(), 0..3),
        option::of(vec(text(), 0..3)),
    );
    let env = (
        option::of(btree_map("[A-Z_]{1,6}", text(), 0..3)).boxed(),
        env_from().boxed(),
    );
    let blocks = (
        option::of(resources().boxed()),
        option::of(restart_policy().boxed()),
        option::of(health_check().boxed()),
        containers("box", 9000).boxed(),
        option::of(sidecars().boxed()),
    );
    let traits = (
        option::of(scaler(kind != "cron-task").boxed()),
        option::of(ingress().boxed()),
        volumes().boxed(),
        option::of(secrets().boxed()),
        option::of(affinity(life != Life::EveryNode).boxed()),
        option::of(update_strategy(life == Life::EveryNode).boxed()),
        option::of(migration().boxed()),
        option::of(service_discovery().boxed()),
    );
    let rest = (
        option::of(vec(select(vec!["dc1", "eu-*"]), 0..3)),
        any::<bool>(),
        btree_map(label(), 7000..7999_u64, 0..3),
    );
    (
        program.boxed(),
        env,
        ports().boxed(),
        blocks.boxed(),
        traits.boxed(),
        rest.boxed(),
    )
        .prop_map(
            move |((image, more, args), (env, env_from), ports, blocks, traits, rest)| {
                let image = image && !no_image || only_images || machine;
                let command: Vec<_> = std::iter::once("run".to_owned()).chain(more).collect();
                let command = !machine && (!image || command.len() > 2);
                let upstreams = rest
                    .2
                    .into_iter()
                    .enumerate()
                    .map(|(number, (label, port))| {
                        (label, json!({"port": port / 10 * 10 + number as u64 % 10}))
                    });
                let upstreams: Map<_, _> = upstreams.take(1).collect();
                // In the mesh there are no TCP checks.
                let checked = |mut check: Value| {
                    if mesh && check["type"] == "tcp" {
                        check["type"] = json!("http");
                    }
                    check
                };
                // Some types have containers of images alone.
                let fitting = |containers: Value| {
                    let all = containers.as_object().unwrap().iter();
                    let kept = all.filter(|(_, it)| !only_images || !it["image"].is_null());
                    Value::Object(kept.map(|(name, it)| (name.clone(), it.clone())).collect())
                };
                let (long, everywhere) = (life != Life::Once, life == Life::EveryNode);
                let strategy = traits.5.filter(|_| long);
                let scaler = traits.0.filter(|_| !everywhere);
                block(vec![
                    ("type", Some(kind.into())),
                    ("target_clusters", rest.0.map(Value::from)),
                    ("image", image.then(|| json!("nginx:1.25"))),
                    (
                        "image_pull_secret",
                        (rest.1 && !machine).then(|| json!("secret/data/registry")),
                    ),
                    ("command", command.then(|| json!(["run", "-v"]))),
                    ("args", args.map(Value::from)),
                    ("env", env.map(|env| json!(env))),
                    ("env_from", Some(env_from)),
                    (
                        "schedule",
                        (kind == "cron-task").then(|| json!("*/15 * * * *")),
                    ),
                    ("port", Some(ports)),
                    ("upstream", (mesh && long).then(|| upstreams.into())),
                    ("resources", blocks.0),
                    ("restart_policy", blocks.1),
                    ("health_check", blocks.2.filter(|_| long).map(checked)),
                    ("container", Some(fitting(blocks.3)).filter(|_| !machine)),
                    ("sidecar", blocks.4.map(fitting).filter(|_| !machine)),
                    ("scaler", scaler),
                    ("ingress", traits.1.filter(|_| serves)),
                    ("volume", Some(traits.2).filter(|_| !machine)),
                    ("vault_secret", traits.3),
                    ("affinity", traits.4),
                    ("update_strategy", strategy),
                    ("migration", traits.6.filter(|_| life == Life::Always)),
                    (
                        "service_discovery",
                        traits.7.filter(|_| serves).map(|mut discovery| {
                            if let Some(check) = discovery.get_mut("check") {
                                *check = checked(check.take());
                            }
                            discovery
                        }),
                    ),
                ])
            },
        )
}

/// At most one scope of each kind, and whether it is a mesh.
fn scopes() -> impl Strategy<Value = (Vec<(&'static str, Value)>, bool, bool)> {
    let network = option::of((0..4_u8, any::<bool>(), option::of(any::<bool>())));
    let pool = option::of((maybe(vec!["gpu", "a_b"]), any::<bool>(), constraints()));
    (network, pool, any::<bool>()).prop_map(|(network, pool, space)| {
        let mut scopes = Vec::new();
        let (mut mesh, mut host) = (false, true);
        if let Some((mode, dns, sidecar)) = network {
            mesh = mode == 0;
            host = mode == 1;
            let scope = block(vec![
                (
                    "network_mode",
                    [None, Some("host"), Some("bridge"), Some("overlay")][usize::from(mode)]
                        .map(Value::from),
                ),
                ("subnet", (mode == 3).then(|| json!("10.0.0.0/8"))),
                ("dns_servers", dns.then(|| json!(["10.0.0.53"]))),
                ("service_mesh", mesh.then_some(json!(true))),
                ("connect_sidecar", sidecar.filter(|_| mesh).map(Value::from)),
            ]);
            scopes.push(("network_scope", json!({"net": scope})));
        }
        if let Some((name, class, constraints)) = pool {
            let scope = block(vec![
                ("pool_name", name),
                ("datacenter", class.then(|| json!(["dc1"]))),
                ("node_class", class.then(|| json!("large"))),
                ("constraint", Some(constraints)),
            ]);
            scopes.push(("node_pool_scope", json!({"pool": scope})));
        }
        if space {
            let scope = json!({"namespace": "acme-team", "quota": "small"});
            scopes.push(("namespace_scope", json!({"team": scope})));
        }
        (scopes, mesh, host)
    })
}

/// An application of everything that the vocabulary has.
pub fn application() -> BoxedStrategy<Value> {
    let made = scopes().boxed().prop_flat_map(|(scopes, mesh, host)| {
        let labels = option::of(btree_map("[a-z.]{1,8}", text(), 0..3));
        let tenant = any::<bool>();
        // A virtual machine is in the host's network.
        let kinds = ComponentType::NAMES.iter().copied();
        let kinds = kinds
            .filter(|kind| host || !kind.starts_with("vm"))
            .collect();
        let components = btree_map(label(), component(kinds, mesh), 1..4);
        (Just(scopes), labels, tenant, components).prop_map(
            |(scopes, labels, tenant, components)| {
                let mut fields = vec![
                    ("name", Some(json!("shop"))),
                    ("tenant", tenant.then(|| json!("acme"))),
                    ("labels", labels.map(|labels| json!(labels))),
                    ("component", Some(json!(components))),
                ];
                fields.extend(scopes.into_iter().map(|(name, scope)| (name, Some(scope))));
                block(fields)
            },
        )
    });
    made.boxed()
}
