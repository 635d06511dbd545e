//! The operations that are cut: what is there before, and what Terraform is asked to do.
//!
//! A configuration is a template: `NAME` is the name of the run's own, `EACH` is where `for_each` comes when
//! many runs are looked after by one Terraform, and `INDEX` follows the address of another resource of the
//! same run.

pub mod applications;
pub mod scopes;
pub mod tenants;
pub mod together;

/// One operation.
pub struct Scenario {
    /// Short, and begins the names of everything in it; of tenants it has letters alone.
    pub name: &'static str,
    /// Whether it is on the servers with access control and a Vault.
    pub guarded: bool,
    /// What all runs share, if anything: `PREFIX` is the scenario's name.
    pub shared: &'static str,
    /// What is applied before, if anything.
    pub before: Option<&'static str>,
    /// What the run that is cut does.
    pub run: Step,
    /// What is asked for afterwards, to come out even.
    pub then: Step,
    /// Whether each job has to come to the same version as without a cut: nothing is registered twice.
    pub same_versions: bool,
}

impl Scenario {
    /// What the text says is made.
    pub const fn creates(name: &'static str, text: &'static str) -> Self {
        Self {
            name,
            guarded: false,
            shared: "",
            before: None,
            run: Step::Apply(text),
            then: Step::Apply(text),
            same_versions: true,
        }
    }

    /// What is there becomes what the text says.
    pub const fn updates(name: &'static str, before: &'static str, text: &'static str) -> Self {
        Self {
            before: Some(before),
            ..Self::creates(name, text)
        }
    }

    /// What is there goes.
    pub const fn destroys(name: &'static str, before: &'static str) -> Self {
        Self {
            before: Some(before),
            run: Step::Destroy,
            then: Step::Destroy,
            ..Self::creates(name, "")
        }
    }

    /// On the servers with access control and a Vault.
    pub const fn guarded(self) -> Self {
        Self {
            guarded: true,
            ..self
        }
    }

    /// With what all its runs share.
    pub const fn sharing(self, shared: &'static str) -> Self {
        Self { shared, ..self }
    }

    /// The same under a name of its own.
    pub const fn named(self, name: &'static str) -> Self {
        Self { name, ..self }
    }

    /// Another thing is asked for afterwards than the run was to come to. Jobs may be registered once more for it.
    pub const fn then(self, name: &'static str, then: Step) -> Self {
        Self {
            name,
            then,
            same_versions: false,
            ..self
        }
    }
}

/// What Terraform is asked to do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Apply(&'static str),
    Destroy,
}
