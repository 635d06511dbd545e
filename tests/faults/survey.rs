//! Makes the cuts of a scenario, as many as are asked for, and says how they came out.

use crate::cuts::{Call, Cut, asked_stride, selected};
use crate::scenarios::Scenario;
use crate::support::Run;
use crate::trial::Trial;

/// Makes one in `otherwise` of the cuts that there are at a scenario's calls, or as many as `OAM_TEST_STRIDE`
/// says. Without the two, none: where others are much the same. Each run that was cut is given `timeout`, and
/// `judge` looks at it where it was not killed.
pub fn survey(
    scenario: &Scenario,
    otherwise: Option<usize>,
    cuts: impl Fn(&Call) -> Vec<Cut>,
    timeout: fn(&Cut) -> &'static str,
    judge: impl Fn(&Cut, &Run) -> Result<(), String> + Sync,
) {
    let Some(stride) = asked_stride().or(otherwise) else {
        println!("left out unless OAM_TEST_STRIDE is set");
        return;
    };
    let trial = Trial::new(scenario);
    let calls = trial.calls();
    let all: Vec<_> = calls.iter().flat_map(cuts).collect();
    let points = all.len();
    let cuts = selected(all, scenario.name, stride);
    let outcome = trial.run(&cuts, timeout, judge);
    println!(
        "{}: {} calls, {points} cuts, {} tried, {} whose call did not come, {} came to a good end by \
         themselves, {} wrong",
        scenario.name,
        calls.len(),
        outcome.made,
        outcome.missed.len(),
        outcome.succeeded,
        outcome.wrong.len(),
    );
    println!("did not come: {:#?}", outcome.missed);
    assert!(outcome.wrong.is_empty(), "{:#?}", outcome.wrong);
    // The order of what is done at once is not the same in each run, and neither is what a watch sees.
    assert!(
        outcome.missed.len() * 5 <= outcome.made,
        "most cuts were not made: {:#?}",
        outcome.missed
    );
}
