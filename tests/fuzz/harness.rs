//! Runs cases, and watches that none takes for ever or takes all the memory.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use fastrand::Rng;

/// What the process may have had in memory at most, in KiB: the tests run beside each other.
const MEMORY: u64 = 1024 * 1024;

/// How often somebody looks at the case that runs.
const LOOKS: Duration = Duration::from_secs(1);

/// How many times in a row it may be the same: it takes microseconds, and no machine is that busy.
const HANGS: u32 = 120;

/// What a case was given.
#[derive(Default)]
pub struct Input(RefCell<String>);

impl Input {
    /// Notes it, for the case that it fails.
    pub fn say(&self, what: impl FnOnce() -> String) {
        *self.0.borrow_mut() = what();
    }
}

fn variable(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is no number: {text}")),
    )
}

/// Runs the cases of a test, each with random numbers of its own.
pub fn cases(name: &str, mut case: impl FnMut(&mut Rng, &Input)) {
    let count = variable("OAM_FUZZ_CASES").unwrap_or(2_000);
    let first = variable("OAM_FUZZ_SEED").unwrap_or_else(|| fastrand::u64(..1 << 60));
    let at = Arc::new(AtomicU64::new(first));
    watch(name.to_owned(), Arc::downgrade(&at));
    for seed in first..first + count {
        at.store(seed, Ordering::Relaxed);
        let input = Input::default();
        let ended = catch_unwind(AssertUnwindSafe(|| {
            case(&mut Rng::with_seed(seed), &input);
        }));
        if let Err(panic) = ended {
            let input = input.0.take();
            eprintln!("{name}: OAM_FUZZ_SEED={seed} OAM_FUZZ_CASES=1\n{input}");
            resume_unwind(panic);
        }
    }
    within_bounds();
    let peak = peak().unwrap_or_default();
    println!("{name}: {count} cases from {first}, {peak} KiB at most");
}

/// Ends the process, with the case that runs, where that takes for ever or too much memory.
fn watch(name: String, watched: Weak<AtomicU64>) {
    std::thread::spawn(move || {
        let (mut before, mut looks) = (None, 0);
        while let Some(at) = watched.upgrade() {
            let now = at.load(Ordering::Relaxed);
            drop(at);
            looks = if before == Some(now) { looks + 1 } else { 0 };
            before = Some(now);
            let peak = peak();
            let fault = match (looks, peak) {
                (HANGS.., _) => "does not come to an end",
                (_, Some(MEMORY..)) => "takes too much memory, or one before it has",
                _ => "",
            };
            if !fault.is_empty() {
                eprintln!("{name}: the case OAM_FUZZ_SEED={now} {fault}: {peak:?} KiB");
                std::process::abort();
            }
            std::thread::sleep(LOOKS);
        }
    });
}

/// What the process has had in memory at most, in KiB, where the system tells.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Asserts that the process has never had more in memory than it may.
pub fn within_bounds() {
    let peak = peak();
    assert!(peak.is_none_or(|peak| peak < MEMORY), "{peak:?} KiB");
}
