//! The one Consul session of this process, which owns all its locks.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::{debug, warn};

use crate::consul::{Behavior, Client};
use crate::http::Error;

/// A session that is not renewed ends after this time at the earliest, and after twice as long at
/// the latest (`SessionTTLMultiplier` in Consul's `agent/structs/structs.go`).
pub(super) const TTL: Duration = Duration::from_secs(15);

/// A session that is being renewed.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) id: String,
    /// Cancelled when Consul says that the session has ended.
    lost: CancellationToken,
    /// Stops the renewals when the session is dropped.
    _renewals: DropGuard,
}

impl Session {
    /// Whether the session is known to have ended.
    pub(super) fn is_lost(&self) -> bool {
        self.lost.is_cancelled()
    }
}

/// Makes the session when it is first needed, and a new one when that has ended.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    current: Mutex<Option<Arc<Session>>>,
}

impl Sessions {
    /// The session, made where there is none.
    pub(super) async fn current(&self, consul: &Client) -> Result<Arc<Session>, Error> {
        let mut current = self.current.lock().await;
        if let Some(session) = current.as_ref().filter(|session| !session.is_lost()) {
            return Ok(Arc::clone(session));
        }
        let id = consul
            .create_session("terraform-provider-oam", TTL, Behavior::Release)
            .await?;
        let (lost, stop) = (CancellationToken::new(), CancellationToken::new());
        tokio::spawn(renew(
            consul.clone(),
            id.clone(),
            lost.clone(),
            stop.clone(),
        ));
        let session = Arc::new(Session {
            id,
            lost,
            _renewals: stop.drop_guard(),
        });
        *current = Some(Arc::clone(&session));
        Ok(session)
    }

    /// Marks a session as ended, so that the next operation makes a new one.
    pub(super) fn ended(&self, session: &Session) {
        session.lost.cancel();
    }

    /// Ends the session, if there is one. A failure is only logged: it ends by itself anyway.
    pub(super) async fn close(&self, consul: &Client) {
        let Some(session) = self.current.lock().await.take() else {
            return;
        };
        if let Err(error) = consul.destroy_session(&session.id).await {
            debug!(%error, "the Consul session was not destroyed and will expire");
        }
        session.lost.cancel();
    }
}

/// Renews the session every third of its time to live, until it has ended or is not needed.
async fn renew(consul: Client, id: String, lost: CancellationToken, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = lost.cancelled() => return,
            () = tokio::time::sleep(TTL / 3) => {}
        }
        let answer = tokio::select! {
            () = stop.cancelled() => return,
            answer = consul.renew_session(&id) => answer,
        };
        match answer {
            Ok(true) => {}
            Ok(false) => {
                warn!("the Consul session has ended; the locks it held are gone");
                lost.cancel();
                return;
            }
            Err(error) => warn!(%error, "the Consul session was not renewed; trying again"),
        }
    }
}
