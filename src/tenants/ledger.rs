//! What each application of a tenant has of the tenant's quotas, and which of them are being deployed.
//!
//! The ledger only adds up what the applications' records say. It is one value in Consul, so that a
//! transaction that checks it and changes it decides about all applications of the tenant at once;
//! how is told in `store/usage.rs`. Here is its arithmetic.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Quota, Quotas, Usage};

/// The form of the ledger that this provider writes. One of a higher form is never touched.
pub const LEDGER_FORMAT: u32 = 1;

/// The applications of one tenant by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ledger {
    /// Always [`LEDGER_FORMAT`].
    pub format: u32,
    /// What each has.
    pub applications: BTreeMap<String, Entry>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            format: LEDGER_FORMAT,
            applications: BTreeMap::new(),
        }
    }
}

/// What one application has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// How much is reserved for it.
    #[serde(flatten)]
    pub usage: Usage,
    /// The operation that deploys it, as its record has it, while one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deploying: Option<String>,
}

/// A quota that leaves no room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overrun {
    /// Which.
    pub quota: Quota,
    /// How much there may be.
    pub limit: u64,
    /// How much the application asks for.
    pub asked: u64,
    /// What the tenant's other applications have of it, those with the most first.
    pub others: Vec<(String, u64)>,
}

impl Ledger {
    /// What all applications have together.
    pub fn used(&self) -> Usage {
        self.applications.values().map(|entry| entry.usage).sum()
    }

    /// What is reserved for an application.
    pub fn usage(&self, application: &str) -> Usage {
        let entry = self.applications.get(application);
        entry.map(|entry| entry.usage).unwrap_or_default()
    }

    /// The applications that have less here than in another ledger: what they have there, and here, if they
    /// are here at all.
    pub fn less_than(&self, other: &Self) -> BTreeMap<String, (Usage, Option<Usage>)> {
        let each = other.applications.iter().filter_map(|(name, there)| {
            let here = self.applications.get(name).map(|entry| entry.usage);
            let is_less = here.unwrap_or_default().most(there.usage) != here.unwrap_or_default();
            is_less.then(|| (name.clone(), (there.usage, here)))
        });
        each.collect()
    }

    /// The quotas that leave no room for this usage of an application. What does not grow has its
    /// room: a quota that is less than what is used already keeps nobody from changing or shrinking.
    pub fn overruns(&self, application: &str, usage: &Usage, quotas: &Quotas) -> Vec<Overrun> {
        let before = self.usage(application);
        let each = Quota::OF_USAGE.into_iter().filter_map(|quota| {
            let limit = quota.limit(quotas)?;
            let asked = quota.of(usage);
            let others = self.others(application, |entry| quota.of(&entry.usage));
            let used = others
                .iter()
                .fold(asked, |sum, it| sum.saturating_add(it.1));
            (asked > quota.of(&before) && used > limit).then_some(Overrun {
                quota,
                limit,
                asked,
                others,
            })
        });
        each.collect()
    }

    /// Why an application has to wait until another one is deployed, where it has.
    pub fn no_slot(&self, application: &str, quotas: &Quotas) -> Option<Overrun> {
        let limit = quotas.max_deployments?;
        let others = self.others(application, |entry| u64::from(entry.deploying.is_some()));
        let running = u64::try_from(others.len()).unwrap_or(u64::MAX);
        (running >= limit).then_some(Overrun {
            quota: Quota::Deployments,
            limit,
            asked: 1,
            others,
        })
    }

    /// Those that are being deployed, with the operation that does it.
    pub fn deploying(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.applications.iter();
        all.filter_map(|(name, entry)| Some((name.as_str(), entry.deploying.as_deref()?)))
    }

    /// An operation of an application begins, with this much reserved for it. One that deploys nothing
    /// takes no deployment's place.
    ///
    /// # Errors
    /// The quotas that leave no room, or, where all do, the one that has it wait until another
    /// application is deployed. Nothing is changed then.
    pub fn begin(
        &mut self,
        application: &str,
        usage: Usage,
        deploying: Option<String>,
        quotas: &Quotas,
    ) -> Result<(), Vec<Overrun>> {
        let overruns = self.overruns(application, &usage, quotas);
        if !overruns.is_empty() {
            return Err(overruns);
        }
        if deploying.is_some()
            && let Some(overrun) = self.no_slot(application, quotas)
        {
            return Err(vec![overrun]);
        }
        let entry = Entry { usage, deploying };
        self.applications.insert(application.to_owned(), entry);
        Ok(())
    }

    /// An operation of an application has ended, and leaves this much reserved.
    pub fn end(&mut self, application: &str, usage: Usage) {
        let entry = Entry {
            usage,
            deploying: None,
        };
        self.applications.insert(application.to_owned(), entry);
    }

    /// An application is no more.
    pub fn remove(&mut self, application: &str) {
        self.applications.remove(application);
    }

    /// An operation that deployed an application has ended without saying so.
    pub fn free(&mut self, application: &str, operation: &str) {
        if let Some(entry) = self.applications.get_mut(application)
            && entry.deploying.as_deref() == Some(operation)
        {
            entry.deploying = None;
        }
    }

    /// The other applications that have any of it.
    fn others(&self, application: &str, much: impl Fn(&Entry) -> u64) -> Vec<(String, u64)> {
        let others = self
            .applications
            .iter()
            .filter(|(name, _)| *name != application);
        let mut others: Vec<_> = others
            .map(|(name, entry)| (name.clone(), much(entry)))
            .filter(|(_, much)| *much > 0)
            .collect();
        others.sort_by_key(|(_, much)| std::cmp::Reverse(*much));
        others
    }
}

/// Most applications that an error names.
const NAMED: usize = 10;

impl Overrun {
    /// What the other applications have of it together.
    pub fn used(&self) -> u64 {
        let others = self.others.iter();
        others.fold(0, |sum, (_, much)| sum.saturating_add(*much))
    }

    /// What went wrong, in one line.
    pub fn summary(&self, tenant: &str) -> String {
        let attribute = self.quota.attribute();
        match self.quota {
            Quota::Deployments => format!("The tenant {tenant} may not deploy more at once"),
            _ => format!("The tenant {tenant} would have more than its {attribute}"),
        }
    }

    /// How much there is and may be, and what to do.
    pub fn detail(&self) -> String {
        let Self { quota, limit, .. } = self;
        let attribute = quota.attribute();
        let limit = quota.amount(*limit);
        let asked = quota.amount(self.asked);
        let (used, names) = (quota.amount(self.used()), self.names());
        match quota {
            Quota::Deployments if self.others.is_empty() => {
                format!("Its `{attribute}` allows {limit} at once. Raise it to deploy anything.")
            }
            Quota::Deployments => format!(
                "Its `{attribute}` allows {limit} at once, and other applications were being deployed \
                 all the time: {names}. Apply again when they are through, give the apply more time \
                 (see `timeouts`), or raise `{attribute}`."
            ),
            _ if self.others.is_empty() => format!(
                "The limit is {limit}, and this application alone asks for {asked}. Make it smaller, \
                 or raise `{attribute}` of the tenant."
            ),
            _ => format!(
                "The limit is {limit}. This application asks for {asked}, and the tenant's other \
                 applications have {used} ({names}). Make this one smaller, make room in the others, \
                 or raise `{attribute}` of the tenant."
            ),
        }
    }

    fn names(&self) -> String {
        let named = self.others.iter().take(NAMED);
        let mut names: Vec<_> = named
            .map(|(name, much)| match self.quota {
                Quota::Deployments => name.clone(),
                _ => format!("{name}: {much}"),
            })
            .collect();
        if let Some(more @ 1..) = self.others.len().checked_sub(NAMED) {
            names.push(format!("and {more} more"));
        }
        names.join(", ")
    }
}

#[cfg(test)]
mod tests;
