//! What the removals of scopes and tenants have in common, and what a removal goes by.

use tracing::warn;

use super::form::{Recorded, stored};
use super::{Expect, Held, Phase, Store, StoreError, Stored, Version};

impl Store {
    /// The version of the record where it has this revision. Terraform plans the replacement of a tainted
    /// object without what was kept beside its state, so that the revision is all there is to go by.
    ///
    /// # Errors
    /// [`StoreError::Changed`] where it has another revision or is gone; [`StoreError::Corrupt`],
    /// [`StoreError::Newer`], [`StoreError::Consul`].
    pub async fn version_at<R: Recorded>(
        &self,
        key: &R::Key,
        revision: Option<u64>,
    ) -> Result<Version, StoreError> {
        let found = self.latest::<R>(key).await?;
        let now = found.as_ref().map(|found| found.record.revision());
        match found {
            Some(found) if now == revision => Ok(found.version),
            _ => Err(StoreError::Changed {
                key: key.clone().into(),
                revision: now,
            }),
        }
    }

    /// Begins a removal of the record in the version that was planned with. Where it has another one because
    /// an earlier removal of this revision was interrupted, that one is taken up.
    ///
    /// Terraform 1.11 plans to delete what is no longer in the configuration with what was kept beside the
    /// state before it refreshes it (its later versions refresh first), so that no plan would ever see what
    /// the interrupted removal has left.
    ///
    /// # Errors
    /// Those of `begin`.
    pub async fn removing<R, T, F>(
        &self,
        key: &R::Key,
        revision: Option<u64>,
        version: Version,
        begin: impl Fn(Version) -> F,
    ) -> Result<T, StoreError>
    where
        R: Recorded,
        F: Future<Output = Result<T, StoreError>>,
    {
        let error = match begin(version).await {
            Err(error @ StoreError::Changed { .. }) => error,
            begun => return begun,
        };
        let found = self.latest::<R>(key).await?;
        let left = found.filter(|found| {
            found.record.phase() == Phase::Destroying && Some(found.record.revision()) == revision
        });
        match left {
            Some(left) => begin(left.version).await,
            None => Err(error),
        }
    }

    /// Writes [`Phase::Destroying`] and takes the lock, if the record is in this version; then asks
    /// whether it is `unused`. Where it is not, or that cannot be told, the record is written back: one
    /// that was not settled before is left to be applied again.
    pub(super) async fn lock_unused<R: Recorded>(
        &self,
        key: &R::Key,
        version: Version,
        unused: impl Future<Output = Result<(), StoreError>>,
    ) -> Result<Held<R>, StoreError> {
        let changed = |revision| StoreError::Changed {
            key: key.clone().into(),
            revision,
        };
        let found = match self.latest::<R>(key).await? {
            None => return Err(changed(None)),
            Some(found) if !found.version.is_same(&version) => {
                return Err(changed(Some(found.record.revision())));
            }
            Some(found) => found,
        };
        let before = found.record;
        let intent = before.clone().stamped(Phase::Destroying, None);
        let held = self
            .lock(key, Expect::Version(found.version), intent, None)
            .await?;
        let Err(error) = unused.await else {
            return Ok(held);
        };
        let back = match before.phase() {
            Phase::Settled => before.stamped(Phase::Settled, None),
            Phase::Applying | Phase::Destroying => {
                let operation = held.record().operation().cloned();
                before.stamped(Phase::Applying, operation)
            }
        };
        if let Err(error) = self.write(&held, &back).await {
            let noun = key.clone().into().noun();
            warn!(%key, %error, "the {noun} is left as one that is being destroyed");
        }
        Err(error)
    }

    /// The record of any kind, as the leader has it.
    pub(super) async fn latest<R: Recorded>(
        &self,
        key: &R::Key,
    ) -> Result<Option<Stored<R>>, StoreError> {
        let entry = self.inner.consul.get_latest(&self.place::<R>(key)).await?;
        entry.map(|entry| stored(key, &entry)).transpose()
    }
}
