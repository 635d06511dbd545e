//! Runs cases, and watches that none takes for ever or takes all the memory.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fastrand::Rng;

/// What the process may have had in memory at most, in KiB: the tests run beside each other.
const MEMORY: u64 = 1024 * 1024;

/// How long one case may take: it takes microseconds, and no machine is that busy.
const HANGS: Duration = Duration::from_secs(120);

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
    let watched = Arc::downgrade(&at);
    let called = name.to_owned();
    std::thread::spawn(move || {
        let mut before = None;
        while let Some(at) = watched.upgrade() {
            let now = at.load(Ordering::Relaxed);
            drop(at);
            if before == Some(now) {
                eprintln!("{called}: the case OAM_FUZZ_SEED={now} does not come to an end");
                std::process::abort();
            }
            before = Some(now);
            std::thread::sleep(HANGS);
        }
    });
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
    println!("{name}: {count} cases from {first}");
}

/// Asserts that the process has never had more in memory than it may.
pub fn within_bounds() {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else {
        return;
    };
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let peak = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    assert!(peak.is_some_and(|peak| peak < MEMORY), "{line:?}");
}
