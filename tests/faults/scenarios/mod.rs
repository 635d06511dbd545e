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

/// What Terraform is asked to do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Apply(&'static str),
    Destroy,
}
