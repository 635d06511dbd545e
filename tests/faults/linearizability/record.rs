//! What one record is, as the store's callers may count on it: a register with check-and-set and a lock.

use super::checker::Model;

/// A process: one store with one session.
pub type Process = u32;

/// What tells one value from another. Each write has one of its own.
pub type Tag = u32;

/// What a record is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    Applying,
    Settled,
    Destroying,
}

/// A record with its lock.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Value {
    pub tag: Tag,
    pub phase: Phase,
    /// Whether it is of revision 1.
    pub is_first: bool,
    pub holder: Option<Process>,
}

/// The record, and the mark of a creation of which nobody may know: which value it is about, and who holds it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct State {
    pub value: Option<Value>,
    pub mark: Option<(Tag, Option<Process>)>,
}

/// What an operation expects to find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    Absent,
    Version(Tag, Phase),
}

/// How an operation ended, or what is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Result {
    /// It was done. Of one without an end: it may have been done.
    Done,
    /// The record is another than was expected, or gone.
    Changed,
    /// There is one already.
    Exists,
    /// Somebody else is at it.
    Busy,
    /// The lock is lost, and the record is another.
    Lost,
}

/// One call of the store, with its result.
#[derive(Clone, Debug)]
pub enum Op {
    /// `Store::read`, and what it found: tag, phase, locked.
    Read(Option<(Tag, Phase, bool)>),
    Begin {
        by: Process,
        expect: Expect,
        tag: Tag,
        phase: Phase,
        is_first: bool,
        result: Result,
    },
    /// `Store::settle` of the intent `of`, and whether it was begun as a creation.
    Settle {
        by: Process,
        of: Tag,
        tag: Tag,
        creates: bool,
        result: Result,
    },
    Abandon {
        by: Process,
        of: Tag,
        tag: Tag,
        result: Result,
    },
    Remove {
        by: Process,
        of: Tag,
        result: Result,
    },
    /// The process says that what it created is known.
    Acknowledge(Process),
    /// The process's session ends.
    Expire(Process),
}

/// The model of one record.
pub struct Record;

impl Model for Record {
    type State = State;
    type Op = Op;

    fn only_looks(op: &Op) -> bool {
        match op {
            Op::Read(_) => true,
            Op::Begin { result, .. }
            | Op::Settle { result, .. }
            | Op::Abandon { result, .. }
            | Op::Remove { result, .. } => *result != Result::Done,
            Op::Acknowledge(_) | Op::Expire(_) => false,
        }
    }

    fn after(state: &State, op: &Op) -> Option<State> {
        let value = state.value.as_ref();
        let same = || state.clone();
        let when = |holds: bool, then: State| holds.then_some(then);
        match op {
            Op::Read(found) => {
                let is = value.map(|it| (it.tag, it.phase, it.holder.is_some()));
                when(is == *found, same())
            }
            Op::Begin {
                by,
                expect,
                tag,
                phase,
                is_first,
                result,
            } => {
                let free = value.is_none_or(|it| it.holder.is_none());
                let adoptable = value.is_none_or(|it| match it.phase {
                    Phase::Applying => it.is_first,
                    Phase::Settled => it.is_first && state.mark == Some((it.tag, None)),
                    Phase::Destroying => false,
                });
                let as_expected = match expect {
                    Expect::Absent => adoptable,
                    Expect::Version(tag, phase) => {
                        value.is_some_and(|it| it.tag == *tag && it.phase == *phase)
                    }
                };
                match result {
                    Result::Done => when(
                        free && as_expected,
                        State {
                            value: Some(Value {
                                tag: *tag,
                                phase: *phase,
                                is_first: *is_first,
                                holder: Some(*by),
                            }),
                            mark: state.mark,
                        },
                    ),
                    // A creation is told so, too, where what it was taking over was taken by another.
                    Result::Changed => when(*expect == Expect::Absent || !as_expected, same()),
                    Result::Exists => when(value.is_some() && !adoptable, same()),
                    Result::Busy => Some(same()),
                    Result::Lost => None,
                }
            }
            Op::Settle {
                by,
                of,
                tag,
                creates,
                result,
            } => concluded(state, *by, *of, *result, |held| State {
                value: Some(Value {
                    tag: *tag,
                    phase: Phase::Settled,
                    holder: None,
                    ..held.clone()
                }),
                mark: (*creates && held.holder.is_some()).then_some((*tag, Some(*by))),
            }),
            Op::Abandon {
                by,
                of,
                tag,
                result,
            } => concluded(state, *by, *of, *result, |held| State {
                value: Some(Value {
                    tag: *tag,
                    holder: None,
                    ..held.clone()
                }),
                mark: None,
            }),
            Op::Remove { by, of, result } => {
                concluded(state, *by, *of, *result, |_| State::default())
            }
            Op::Acknowledge(by) => Some(State {
                mark: state.mark.filter(|(_, holder)| *holder != Some(*by)),
                ..same()
            }),
            Op::Expire(by) => {
                let free = |holder: Option<Process>| holder.filter(|it| it != by);
                Some(State {
                    value: value.map(|it| Value {
                        holder: free(it.holder),
                        ..it.clone()
                    }),
                    mark: state.mark.map(|(tag, holder)| (tag, free(holder))),
                })
            }
        }
    }
}

/// An operation ends only on its own intent, with its own lock or, where that has run out, with nobody's.
fn concluded(
    state: &State,
    by: Process,
    of: Tag,
    result: Result,
    then: impl Fn(&Value) -> State,
) -> Option<State> {
    let own = state
        .value
        .as_ref()
        .filter(|it| it.tag == of && it.phase != Phase::Settled);
    match (result, own) {
        (Result::Done, Some(held)) if held.holder.is_none_or(|it| it == by) => Some(then(held)),
        (Result::Lost, None) => Some(state.clone()),
        _ => None,
    }
}
