//! The checker and the model themselves: histories that are linearizable, and ones that are not.

use super::checker::{Event, explain};
use super::record::{Expect, Op, Phase, Record, Result, State};

fn event(began: u64, ended: u64, op: Op) -> Event<Op> {
    Event {
        op,
        began,
        ended: Some(ended),
    }
}

fn open(began: u64, op: Op) -> Event<Op> {
    Event {
        op,
        began,
        ended: None,
    }
}

fn begin(by: u32, expect: Expect, tag: u32, result: Result) -> Op {
    Op::Begin {
        by,
        expect,
        tag,
        phase: Phase::Applying,
        is_first: expect == Expect::Absent,
        result,
    }
}

fn settle(by: u32, of: u32, tag: u32, result: Result) -> Op {
    Op::Settle {
        by,
        of,
        tag,
        creates: false,
        result,
    }
}

/// Two processes on a record that is settled with tag 1.
fn settled() -> Vec<Event<Op>> {
    vec![
        event(0, 1, begin(1, Expect::Absent, 10, Result::Done)),
        event(2, 3, settle(1, 10, 1, Result::Done)),
    ]
}

const FROM_1: Expect = Expect::Version(1, Phase::Settled);

fn holds(more: &[Event<Op>]) -> bool {
    let mut history = settled();
    history.extend_from_slice(more);
    explain::<Record>(State::default(), &history).is_ok()
}

#[test]
fn what_can_have_come_about_is_explained() {
    use Result::{Busy, Changed, Done, Exists, Lost};
    let reads = |tag, phase, locked| Op::Read(Some((tag, phase, locked)));
    // One wins, the other is told.
    assert!(holds(&[
        event(4, 8, begin(1, FROM_1, 20, Done)),
        event(5, 9, begin(2, FROM_1, 21, Changed)),
        event(10, 11, settle(1, 20, 2, Done)),
        event(12, 13, reads(2, Phase::Settled, false)),
        event(14, 15, begin(2, Expect::Absent, 22, Exists)),
    ]));
    // A read beside a write sees the one or the other.
    for tag in [1, 2] {
        assert!(holds(&[
            event(4, 5, begin(1, FROM_1, 20, Done)),
            event(6, 9, settle(1, 20, 2, Done)),
            event(
                7,
                8,
                match tag {
                    1 => reads(20, Phase::Applying, true),
                    _ => reads(2, Phase::Settled, false),
                }
            ),
        ]));
    }
    // What has no result may have been done, and late; or not at all.
    assert!(holds(&[
        open(4, begin(1, FROM_1, 20, Done)),
        event(5, 6, reads(1, Phase::Settled, false)),
        event(7, 8, reads(20, Phase::Applying, true)),
    ]));
    assert!(holds(&[
        open(4, begin(1, FROM_1, 20, Done)),
        event(9, 10, begin(2, FROM_1, 21, Done)),
    ]));
    // A lock that has run out.
    assert!(holds(&[
        event(4, 5, begin(1, FROM_1, 20, Done)),
        event(
            6,
            7,
            begin(2, Expect::Version(20, Phase::Applying), 21, Busy)
        ),
        event(8, 9, Op::Expire(1)),
        event(
            10,
            11,
            begin(2, Expect::Version(20, Phase::Applying), 22, Done)
        ),
        event(12, 13, settle(1, 20, 2, Lost)),
        event(14, 15, settle(2, 22, 3, Done)),
    ]));
}

#[test]
fn what_cannot_have_come_about_is_not_explained() {
    use Result::{Changed, Done, Exists, Lost};
    let reads = |tag, phase, locked| Op::Read(Some((tag, phase, locked)));
    let from_20 = Expect::Version(20, Phase::Applying);
    let cases: Vec<(&str, Vec<Event<Op>>)> = vec![
        (
            "two win from one version",
            vec![
                event(4, 8, begin(1, FROM_1, 20, Done)),
                event(5, 9, begin(2, FROM_1, 21, Done)),
            ],
        ),
        (
            "a read of what was over",
            vec![
                event(4, 5, begin(1, FROM_1, 20, Done)),
                event(6, 7, reads(1, Phase::Settled, false)),
            ],
        ),
        (
            "a read of what nobody wrote",
            vec![event(4, 5, reads(7, Phase::Settled, false))],
        ),
        ("a record that is lost", vec![event(4, 5, Op::Read(None))]),
        (
            "a lock that does not keep out",
            vec![
                event(4, 5, begin(1, FROM_1, 20, Done)),
                event(6, 7, begin(2, from_20, 21, Done)),
            ],
        ),
        (
            "an outcome over another intent",
            vec![
                event(4, 5, begin(1, FROM_1, 20, Done)),
                event(6, 7, Op::Expire(1)),
                event(8, 9, begin(2, from_20, 21, Done)),
                event(10, 11, settle(1, 20, 2, Done)),
            ],
        ),
        (
            "a write that comes undone",
            vec![
                event(4, 5, begin(1, FROM_1, 20, Done)),
                event(6, 7, settle(1, 20, 2, Done)),
                event(
                    8,
                    9,
                    begin(2, Expect::Version(20, Phase::Applying), 21, Done),
                ),
            ],
        ),
        (
            "a write without a result that is seen and then not",
            vec![
                open(4, begin(1, FROM_1, 20, Done)),
                event(5, 6, reads(20, Phase::Applying, true)),
                event(7, 8, reads(1, Phase::Settled, false)),
            ],
        ),
        (
            "a refusal without a reason",
            vec![event(4, 5, begin(2, FROM_1, 21, Changed))],
        ),
        (
            "a loss without a reason",
            vec![
                event(4, 5, begin(1, FROM_1, 20, Done)),
                event(6, 7, settle(1, 20, 2, Lost)),
            ],
        ),
        (
            "a creation over what is there",
            vec![event(4, 5, begin(2, Expect::Absent, 21, Done))],
        ),
        (
            "a creation refused where nothing is",
            vec![
                event(4, 5, begin(1, FROM_1, 20, Done)),
                event(
                    6,
                    7,
                    Op::Remove {
                        by: 1,
                        of: 20,
                        result: Done,
                    },
                ),
                event(8, 9, begin(2, Expect::Absent, 21, Exists)),
            ],
        ),
    ];
    for (what, history) in cases {
        assert!(!holds(&history), "{what}");
    }
}
