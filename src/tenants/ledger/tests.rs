#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn usage(jobs: u64, cpu_mhz: u64, memory_mb: u64) -> Usage {
    Usage {
        jobs,
        cpu_mhz,
        memory_mb,
    }
}

fn quotas(jobs: u64, cpu: u64, memory: u64, deployments: u64) -> Quotas {
    Quotas {
        max_jobs: Some(jobs),
        max_cpu_mhz: Some(cpu),
        max_memory_mb: Some(memory),
        max_deployments: Some(deployments),
    }
}

fn of(entries: &[(&str, Usage, Option<&str>)]) -> Ledger {
    let entries = entries.iter().map(|(name, usage, deploying)| {
        let entry = Entry {
            usage: *usage,
            deploying: deploying.map(str::to_owned),
        };
        ((*name).to_owned(), entry)
    });
    Ledger {
        applications: entries.collect(),
        ..Ledger::default()
    }
}

#[test]
fn a_ledger_is_read_as_it_was_written() {
    let ledger = of(&[
        ("blog", usage(1, 100, 300), None),
        ("shop", usage(2, u64::MAX, 0), Some("s/1")),
    ]);
    let text = serde_json::to_string(&ledger).unwrap();
    assert_eq!(
        text,
        r#"{"format":1,"applications":{"blog":{"jobs":1,"cpu_mhz":100,"memory_mb":300},"shop":{"jobs":2,"cpu_mhz":18446744073709551615,"memory_mb":0,"deploying":"s/1"}}}"#
    );
    assert_eq!(serde_json::from_str::<Ledger>(&text).unwrap(), ledger);
    for text in ["{}", r#"{"format":1,"applications":{"a":{"jobs":1}}}"#] {
        assert!(serde_json::from_str::<Ledger>(text).is_err(), "{text}");
    }
}

#[test]
fn what_is_too_much() {
    let ledger = of(&[
        ("blog", usage(1, 100, 300), None),
        ("shop", usage(2, 500, 512), None),
    ]);
    let quotas = quotas(4, 1000, 1024, 1);
    let which = |name: &str, asked: Usage| {
        let overruns = ledger.overruns(name, &asked, &quotas);
        overruns.iter().map(|it| it.quota).collect::<Vec<_>>()
    };
    let cases: [(&str, Usage, &[Quota]); 9] = [
        ("new", usage(1, 400, 212), &[]),
        ("new", usage(2, 400, 212), &[Quota::Jobs]),
        ("new", usage(1, 401, 212), &[Quota::Cpu]),
        ("new", usage(1, 400, 213), &[Quota::Memory]),
        ("new", usage(9, 999, 999), &Quota::OF_USAGE),
        ("new", usage(u64::MAX, u64::MAX, u64::MAX), &Quota::OF_USAGE),
        // Of one's own only the growth counts.
        ("shop", usage(3, 900, 724), &[]),
        ("shop", usage(3, 901, 724), &[Quota::Cpu]),
        ("blog", usage(1, 100, 300), &[]),
    ];
    for (name, asked, expected) in cases {
        assert_eq!(which(name, asked), expected, "{name} {asked:?}");
    }
    // Where there is too much already, what does not grow goes on.
    let tight = Quotas {
        max_jobs: Some(1),
        ..Quotas::default()
    };
    assert_eq!(ledger.overruns("shop", &usage(2, 9000, 1), &tight), []);
    assert_eq!(ledger.overruns("shop", &usage(1, 9000, 1), &tight), []);
    assert_eq!(ledger.overruns("shop", &usage(3, 1, 1), &tight).len(), 1);
    let free = Quotas::default();
    assert_eq!(ledger.overruns("new", &usage(u64::MAX, 1, 1), &free), []);
}

#[test]
fn an_error_says_how_much_there_is() {
    let ledger = of(&[
        ("blog", usage(1, 100, 300), None),
        ("shop", usage(2, 500, 512), None),
        ("idle", usage(0, 0, 0), None),
    ]);
    let quotas = quotas(3, 1000, 1024, 0);
    let overruns = ledger.overruns("new", &usage(1, 500, 0), &quotas);
    let texts: Vec<_> = overruns.iter().map(Overrun::detail).collect();
    assert_eq!(
        texts,
        [
            "The limit is 3 jobs. This application asks for 1 job, and the tenant's other applications \
             have 3 jobs (shop: 2, blog: 1). Make this one smaller, make room in the others, or raise \
             `max_jobs` of the tenant.",
            "The limit is 1000 MHz. This application asks for 500 MHz, and the tenant's other \
             applications have 600 MHz (shop: 500, blog: 100). Make this one smaller, make room in the \
             others, or raise `max_cpu_mhz` of the tenant.",
        ]
    );
    assert_eq!(
        overruns[0].summary("acme"),
        "The tenant acme would have more than its max_jobs"
    );
    let alone = Ledger::default().overruns("new", &usage(4, 0, 0), &quotas);
    assert!(
        alone[0]
            .detail()
            .contains("this application alone asks for 4 jobs")
    );
    let none = ledger.no_slot("new", &quotas).unwrap();
    assert!(
        none.detail().contains("allows 0 deployments at once"),
        "{}",
        none.detail()
    );

    let many: Vec<_> = (0..13).map(|n| format!("a{n:02}")).collect();
    let many: Vec<_> = many
        .iter()
        .map(|name| (name.as_str(), usage(1, 0, 0), Some("s/1")))
        .collect();
    let overruns = of(&many).overruns("new", &usage(1, 0, 0), &quotas);
    let text = overruns[0].detail();
    assert!(
        text.contains("a09: 1, and 3 more)") && !text.contains("a10"),
        "{text}"
    );
}

#[test]
fn deployments_at_one_time() {
    let nothing = Usage::default();
    let limit = quotas(9, 9, 9, 2);
    let mut ledger = Ledger::default();
    let begin = |ledger: &mut Ledger, name: &str, operation: &str| {
        ledger.begin(name, nothing, Some(operation.to_owned()), &limit)
    };
    begin(&mut ledger, "a", "s/1").unwrap();
    begin(&mut ledger, "b", "s/2").unwrap();
    let refused = begin(&mut ledger, "c", "s/3").unwrap_err();
    assert_eq!(refused[0].quota, Quota::Deployments);
    assert_eq!(
        refused[0].others,
        [("a".to_owned(), 1), ("b".to_owned(), 1)]
    );
    assert!(!ledger.applications.contains_key("c"));
    // What deploys nothing needs no place, and what was interrupted is begun again in its own.
    ledger.begin("c", nothing, None, &limit).unwrap();
    begin(&mut ledger, "a", "t/1").unwrap();
    assert_eq!(
        ledger.deploying().collect::<Vec<_>>(),
        [("a", "t/1"), ("b", "s/2")]
    );
    // Another operation than the one that has crashed goes on.
    ledger.free("a", "s/1");
    begin(&mut ledger, "c", "s/3").unwrap_err();
    ledger.free("a", "t/1");
    begin(&mut ledger, "c", "s/3").unwrap();
    ledger.end("b", usage(1, 2, 3));
    ledger.remove("c");
    assert_eq!(ledger.deploying().count(), 0);
    assert_eq!(ledger.used(), usage(1, 2, 3));
}

/// One step of somebody.
#[derive(Debug, Clone)]
enum Step {
    Begin { application: usize, planned: Usage },
    Settle(usize),
    Abandon(usize),
    Remove(usize),
    Crash(usize),
}

/// What the store keeps of an application beside the ledger.
#[derive(Debug, Clone, Default)]
struct Kept {
    reserved: Usage,
    /// The operation at it, what it plans, and whether its process lives.
    operation: Option<(String, Usage, bool)>,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let planned = (0_u64..5, 0_u64..50, 0_u64..50).prop_map(|(j, c, m)| usage(j, c, m));
    let application = 0_usize..6;
    let begin = (application.clone(), planned).prop_map(|(application, planned)| Step::Begin {
        application,
        planned,
    });
    let step = prop_oneof![
        4 => begin,
        2 => application.clone().prop_map(Step::Settle),
        1 => application.clone().prop_map(Step::Abandon),
        1 => application.clone().prop_map(Step::Remove),
        1 => application.prop_map(Step::Crash),
    ];
    vec(step, 0..60)
}

proptest! {
    /// Whatever comes in whatever order: what is reserved stays within the quotas, and so does what
    /// the applications have, which is never more than what is reserved.
    #[test]
    fn no_order_exceeds_a_quota(steps in steps()) {
        let limit = quotas(8, 100, 100, 2);
        let mut ledger = Ledger::default();
        let mut kept: BTreeMap<String, Kept> = BTreeMap::new();
        for (count, step) in steps.into_iter().enumerate() {
            let name = |application: usize| format!("a{application}");
            let lives = |kept: &BTreeMap<String, Kept>, name: &str| {
                kept.get(name).and_then(|kept| kept.operation.clone()).filter(|it| it.2)
            };
            match step {
                Step::Begin { application, planned } => {
                    let name = name(application);
                    if lives(&kept, &name).is_some() {
                        continue;
                    }
                    let dead: Vec<_> = kept
                        .iter()
                        .filter_map(|(name, it)| Some((name, it.operation.as_ref()?)))
                        .filter(|(_, operation)| !operation.2)
                        .collect();
                    for (name, (id, ..)) in dead {
                        ledger.free(name, id);
                    }
                    let before = kept.get(&name).map(|kept| kept.reserved).unwrap_or_default();
                    let reserved = before.most(planned);
                    let id = count.to_string();
                    if ledger.begin(&name, reserved, Some(id.clone()), &limit).is_ok() {
                        let operation = Some((id, planned, true));
                        kept.insert(name, Kept { reserved, operation });
                    }
                }
                Step::Settle(application) => {
                    let name = name(application);
                    if let Some((_, planned, _)) = lives(&kept, &name) {
                        ledger.end(&name, planned);
                        kept.insert(name, Kept { reserved: planned, operation: None });
                    }
                }
                Step::Abandon(application) => {
                    let name = name(application);
                    if lives(&kept, &name).is_some() {
                        let it = kept.get_mut(&name).unwrap();
                        it.operation = None;
                        ledger.end(&name, it.reserved);
                    }
                }
                Step::Remove(application) => {
                    let name = name(application);
                    if lives(&kept, &name).is_some() {
                        ledger.remove(&name);
                        kept.remove(&name);
                    }
                }
                Step::Crash(application) => {
                    if let Some(it) = kept.get_mut(&name(application))
                        && let Some((.., alive)) = &mut it.operation
                    {
                        *alive = false;
                    }
                }
            }
            let used = ledger.used();
            prop_assert!(used.jobs <= 8 && used.cpu_mhz <= 100 && used.memory_mb <= 100);
            let running = kept.values().filter(|it| {
                it.operation.as_ref().is_some_and(|it| it.2)
            });
            prop_assert!(running.count() <= 2);
            // It can be made anew from the records at any time.
            let of_records: Usage = kept.values().map(|it| it.reserved).sum();
            prop_assert_eq!(of_records, used);
        }
    }
}

#[test]
fn what_is_less_than_elsewhere() {
    let records = of(&[
        ("blog", usage(1, 100, 300), None),
        ("cart", usage(1, 100, 300), Some("s/1")),
        ("idle", usage(0, 0, 0), None),
        ("shop", usage(2, 500, 512), None),
    ]);
    let ledger = of(&[
        ("blog", usage(9, 100, 300), None),
        ("gone", usage(1, 1, 1), None),
        ("shop", usage(3, 499, 512), None),
    ]);
    let less = ledger.less_than(&records);
    let wanted = [
        ("cart", usage(1, 100, 300), None),
        ("shop", usage(2, 500, 512), Some(usage(3, 499, 512))),
    ];
    let wanted = wanted.map(|(name, there, here)| (name.to_owned(), (there, here)));
    assert_eq!(less, wanted.into());
    assert!(records.less_than(&records).is_empty());
    assert!(records.less_than(&Ledger::default()).is_empty());
}
