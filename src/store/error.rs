//! What can go wrong with a record, and what to do about it.

use std::fmt;

use super::{ApplicationKey, Operation, Phase};
use crate::http;

/// Why the store did not do what it was asked. Nothing was overwritten.
#[derive(Debug, Clone)]
pub enum StoreError {
    /// The record is not the one that was planned with: somebody changed or deleted it.
    Changed {
        /// Which application.
        key: ApplicationKey,
        /// Its revision now; `None` where the record is gone.
        revision: Option<u64>,
    },
    /// Another operation holds the record, and still did after the wait for it.
    Busy {
        /// Which application.
        key: ApplicationKey,
        /// Who holds it.
        operation: Option<Box<Operation>>,
    },
    /// There is a record where none was expected.
    Exists {
        /// Which application.
        key: ApplicationKey,
        /// What happens to it.
        phase: Phase,
    },
    /// The record is not what this provider writes.
    Corrupt {
        /// Which application.
        key: ApplicationKey,
        /// The key in Consul.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The record was written by a newer provider.
    Newer {
        /// Which application.
        key: ApplicationKey,
        /// The key in Consul.
        path: String,
        /// The record's format.
        format: u64,
    },
    /// The record does not fit into one Consul transaction.
    TooLarge {
        /// Which application.
        key: ApplicationKey,
        /// Size of the transaction, in bytes.
        size: usize,
    },
    /// The lock was lost while it was held, and the record was changed by somebody else.
    Lost {
        /// Which application.
        key: ApplicationKey,
    },
    /// A request to Consul failed.
    Consul(Box<http::Error>),
}

impl StoreError {
    /// What went wrong, in one line.
    pub fn summary(&self) -> String {
        match self {
            StoreError::Changed { key, .. } => {
                format!("The record of {key} changed since the plan")
            }
            StoreError::Busy { key, .. } => format!("Another operation works on {key}"),
            StoreError::Exists { key, .. } => format!("The application {key} exists already"),
            StoreError::Corrupt { key, .. } => format!("The record of {key} cannot be read"),
            StoreError::Newer { key, .. } => {
                format!("The record of {key} was written by a newer provider")
            }
            StoreError::TooLarge { key, .. } => {
                format!("The application {key} is too large for its record")
            }
            StoreError::Lost { key } => {
                format!("The record of {key} was taken over while it was worked on")
            }
            StoreError::Consul(error) => error.summary(),
        }
    }

    /// Why, and what to do.
    pub fn detail(&self) -> String {
        match self {
            StoreError::Changed { revision, .. } => {
                let now = match revision {
                    Some(revision) => format!("It is at revision {revision} now"),
                    None => "It is gone now".to_owned(),
                };
                format!("{now}. Nothing was changed. Run the plan again, look at what changed, and apply that.")
            }
            StoreError::Busy { operation, .. } => {
                let who = match operation {
                    Some(operation) => format!("It is {operation}"),
                    None => "It does not say who it is".to_owned(),
                };
                format!(
                    "{who}. Nothing was changed. Wait until it has ended, and run the plan again. If that process crashed, its lock ends by itself within half a minute."
                )
            }
            StoreError::Exists { key, phase } => format!(
                "Its record says that it is {phase}. Nothing was changed. If it shall be managed here, import it: terraform import ADDRESS {key}. If not, choose another name or tenant."
            ),
            StoreError::Corrupt { path, reason, .. } => format!(
                "The Consul key {path}: {reason}. Nothing was changed. Restore the key from a backup (consul snapshot), or, if the application's jobs shall be adopted by a new record, delete the key (consul kv delete {path}) and apply again."
            ),
            StoreError::Newer { path, format, .. } => format!(
                "The Consul key {path} has format {format}, and this provider knows formats up to {}. Nothing was changed. Use the provider's version that wrote it, or a newer one.",
                super::FORMAT
            ),
            StoreError::TooLarge { size, .. } => format!(
                "Its record would take {size} bytes on the way to Consul, and {} is the limit of a transaction. Nothing was changed. Split the application, or move long texts out of its environment variables.",
                super::LARGEST
            ),
            StoreError::Lost { .. } => "The connection to Consul was lost for longer than the lock lives, and another operation began. The record was not overwritten, but jobs may have been registered by both. Run the plan again, and apply what it shows.".to_owned(),
            StoreError::Consul(error) => error.detail(),
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.summary(), self.detail())
    }
}

impl std::error::Error for StoreError {}

impl From<http::Error> for StoreError {
    fn from(error: http::Error) -> Self {
        StoreError::Consul(Box::new(error))
    }
}
