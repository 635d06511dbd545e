//! Reading ahead: one list in place of many single questions that come at the same time.
//!
//! A host refreshes its resources one by one, ten at a time, and each refresh asks about things of its
//! own. [`Ahead`] keeps the last list that one of them has fetched, and all others look there. It is
//! never an authority: whoever does not find an answer in it, or finds that something has changed, asks
//! the server for that one thing. So a list that is partial, filtered by the token's permissions, or
//! refused costs requests and nothing else.
//!
//! A list answers only
//! - for [`VALID`] after its request was sent, and in the run that fetched it;
//! - while this process has written nothing since then ([`Client::changes`](crate::http::Client::changes)).
//!
//! It is fetched by whoever first has need of it, and those who come meanwhile wait for that one answer.
//!
//! How much it may be worth ([`worth`]) grows with the questions that are to be expected, so that a
//! configuration of a few applications does not read a list of thousands. A run does not know how many
//! will come. But each thing that it asks about can remember how many there were in an earlier run
//! ([`Questions`]), and of a configuration of N the first few nearly always say that there are many. Where
//! nothing is remembered, the questions of this run are all there is to go by.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

/// How old a list may be, from the moment that it was asked for.
const VALID: Duration = Duration::from_secs(30);

/// The questions that are asked singly before anything else is thought of.
const FIRST: u64 = 3;

/// How many items a list may have for each question that is to be expected. Where what is remembered is
/// spread evenly from 1 to N, as it is when N things were made one after the other, all of the first four
/// are below N/16 once in 65,536 times.
const SHARE: u64 = 16;

/// How many items a list may have for the `asked`th question, where `expected` are to be expected.
///
/// Whoever has asked for many things will likely ask for many more: the square lets N things of which
/// nothing is remembered cost about √N/2 single questions and a list, and a few things never more than a
/// few hundred items. Nothing better than a root can be had without memory: whoever reads at most W(n)
/// items for the first n questions has asked singly until W(n) has reached N.
fn worth(asked: u64, expected: u64) -> usize {
    let worth = match asked {
        0..=FIRST => 0,
        asked => {
            let square = asked.saturating_mul(asked).saturating_mul(4);
            square.max(expected.saturating_mul(SHARE))
        }
    };
    usize::try_from(worth).unwrap_or(usize::MAX)
}

/// What a run has asked about, and how much more is to be expected.
#[derive(Debug, Default)]
pub struct Questions {
    asked: AtomicU64,
    found: AtomicU64,
    expected: AtomicU64,
}

impl Questions {
    /// Counts a question about something of which is remembered that it was one of `remembered`. Answers how
    /// many items a list may have for it.
    pub fn ask(&self, remembered: u64) -> usize {
        self.expected.fetch_max(remembered, Ordering::Relaxed);
        let asked = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
        worth(asked, self.expected.load(Ordering::Relaxed))
    }

    /// Counts something that was found out or made without a list, about which the next run will ask.
    pub fn find(&self) {
        self.found.fetch_add(1, Ordering::Relaxed);
    }

    /// What to remember of how many there are, where so far `remembered` is: twice as much or nothing new, so
    /// that it changes a few times and then stays as it is.
    pub fn remember(&self, remembered: u64) -> u64 {
        let asked = self.asked.load(Ordering::Relaxed);
        let seen = asked.max(self.found.load(Ordering::Relaxed));
        match seen / 2 >= remembered {
            true => seen,
            false => remembered,
        }
    }
}

/// What came of an attempt to list.
#[derive(Debug)]
pub enum Look<T> {
    /// The list.
    Listed(T),
    /// There are at least so many items, more than it is worth.
    TooMany(usize),
    /// The server does not give it.
    Refused,
}

/// The last list of one kind of things on one server.
#[derive(Debug)]
pub struct Ahead<T>(Mutex<Option<Last<T>>>);

#[derive(Debug)]
struct Last<T> {
    at: Instant,
    changes: u64,
    look: Look<Arc<T>>,
}

impl<T> Default for Ahead<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T> Ahead<T> {
    /// The list, where there is a good one or `worth` is enough to fetch it. `changes` counts what this
    /// process writes to the server.
    pub async fn list<F: Future<Output = Look<T>>>(
        &self,
        worth: usize,
        changes: impl Fn() -> u64,
        look: impl FnOnce() -> F,
    ) -> Option<Arc<T>> {
        if worth == 0 {
            return None;
        }
        // Held while the list is fetched: others wait here for it.
        let mut last = self.0.lock().await;
        if let Some(last) = &*last
            && last.at.elapsed() < VALID
        {
            let unchanged = last.changes == changes();
            match &last.look {
                Look::Listed(list) if unchanged => return Some(Arc::clone(list)),
                Look::TooMany(many) if worth < *many => return None,
                Look::Refused => return None,
                _ => {}
            }
        }
        let (at, before) = (Instant::now(), changes());
        let look = match look().await {
            Look::Listed(list) => Look::Listed(Arc::new(list)),
            Look::TooMany(many) => Look::TooMany(many),
            Look::Refused => Look::Refused,
        };
        let found = match &look {
            Look::Listed(list) if before == changes() => Some(Arc::clone(list)),
            _ => None,
        };
        *last = Some(Last {
            at,
            changes: before,
            look,
        });
        found
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

    use super::*;

    /// A list, how often it was fetched, and what was written.
    #[derive(Default)]
    struct Server {
        ahead: Ahead<u64>,
        fetched: AtomicUsize,
        changes: AtomicU64,
    }

    impl Server {
        async fn ask(&self, worth: usize, look: Look<u64>) -> Option<u64> {
            let changes = || self.changes.load(Ordering::SeqCst);
            let fetch = || async {
                self.fetched.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                look
            };
            self.ahead
                .list(worth, changes, fetch)
                .await
                .map(|list| *list)
        }

        fn fetched(&self) -> usize {
            self.fetched.swap(0, Ordering::SeqCst)
        }
    }

    #[tokio::test]
    async fn those_who_come_at_once_share_one_list() {
        let server = Server::default();
        let asked = (0..50).map(|_| server.ask(1, Look::Listed(7)));
        let answers = futures_util::future::join_all(asked).await;
        assert!(answers.iter().all(|answer| *answer == Some(7)));
        assert_eq!(server.fetched(), 1);
    }

    #[tokio::test]
    async fn nothing_that_was_listed_before_a_write_is_an_answer() {
        let server = Server::default();
        assert_eq!(server.ask(1, Look::Listed(1)).await, Some(1));
        server.changes.fetch_add(1, Ordering::SeqCst);
        assert_eq!(server.ask(1, Look::Listed(2)).await, Some(2));
        assert_eq!(server.fetched(), 2);
        // A write that comes while the list is on its way.
        server.changes.fetch_add(1, Ordering::SeqCst);
        let changes = || server.changes.load(Ordering::SeqCst);
        let fetch = || async {
            server.changes.fetch_add(1, Ordering::SeqCst);
            Look::Listed(3)
        };
        assert_eq!(server.ahead.list(1, changes, fetch).await, None);
        assert_eq!(server.ask(1, Look::Listed(4)).await, Some(4));
    }

    #[tokio::test]
    async fn a_list_that_is_too_long_is_fetched_when_it_is_worth_it() {
        let server = Server::default();
        assert_eq!(server.ask(0, Look::Listed(1)).await, None);
        assert_eq!(server.fetched(), 0);
        assert_eq!(server.ask(10, Look::TooMany(100)).await, None);
        assert_eq!(server.ask(99, Look::Listed(1)).await, None);
        assert_eq!(server.fetched(), 1);
        assert_eq!(server.ask(100, Look::Listed(1)).await, Some(1));
        assert_eq!(server.fetched(), 1);
    }

    #[tokio::test]
    async fn a_refused_list_is_not_asked_for_again_and_again() {
        let server = Server::default();
        assert_eq!(server.ask(9, Look::Refused).await, None);
        server.changes.fetch_add(1, Ordering::SeqCst);
        assert_eq!(server.ask(99, Look::Listed(1)).await, None);
        assert_eq!(server.fetched(), 1);
    }

    #[test]
    fn a_list_is_worth_more_to_whoever_asks_more() {
        let all: Vec<_> = [1, 3, 4, 10, 36].map(|asked| worth(asked, 0)).into();
        assert_eq!(all, [0, 0, 64, 400, 5184]);
        assert_eq!(worth(u64::MAX, 0), usize::MAX);
    }

    #[test]
    fn what_is_remembered_of_any_makes_a_list_worth_it() {
        let questions = Questions::default();
        let all: Vec<_> = [2, 700, 0, 31].map(|was| questions.ask(was)).into();
        assert_eq!(all, [0, 0, 0, 700 * 16]);
        assert_eq!(worth(4, u64::MAX), usize::MAX);
    }

    /// So a state that is read again and again is not written anew each time.
    #[test]
    fn what_is_remembered_changes_a_few_times_only() {
        let mut remembered = vec![0; 1000];
        let mut changes = 0;
        for run in 0..30 {
            let questions = Questions::default();
            for n in 0..remembered.len() {
                // Another order in each run.
                let was = &mut remembered[(n * 7 + run * 13) % 1000];
                questions.ask(*was);
                let now = questions.remember(*was);
                changes += usize::from(now != *was);
                *was = now;
            }
        }
        assert!(changes <= 11 * remembered.len(), "{changes}");
        let many = remembered.iter().filter(|was| **was > 1000 / 16).count();
        assert!(many > 990, "{many}");
        // A small run later does not make it forget.
        let questions = Questions::default();
        questions.ask(1000);
        questions.find();
        assert_eq!(questions.remember(1000), 1000);
    }

    #[test]
    fn what_was_made_counts_as_well() {
        let questions = Questions::default();
        let remembered = [0; 5].map(|none| {
            questions.find();
            questions.remember(none)
        });
        assert_eq!(remembered, [1, 2, 3, 4, 5]);
    }
}
