//! Serves a provider until the host, the user or the system ends it.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tonic::transport::Server;

use super::handshake::{Address, Handshake, Line};
use super::listen::Listener;
use super::plugin::{Broker, Controller, Stdio};
use super::resource::Provider;
use super::service::Service;
use super::tls::{self, ServerTls, TlsError};
use super::wire::plugin::grpc_broker_server::GrpcBrokerServer;
use super::wire::plugin::grpc_controller_server::GrpcControllerServer;
use super::wire::plugin::grpc_stdio_server::GrpcStdioServer;
use super::wire::tfplugin6::provider_server::ProviderServer;

/// The largest message either side may send: Terraform's own limit (`grpcMaxMessageSize`).
const MAX_MESSAGE: usize = 256 << 20;
/// How long calls under way may take to notice that the host wants the end. It kills after 2 s.
const GRACE: Duration = Duration::from_millis(500);
/// How long the provider then may take to give back what it holds elsewhere.
const LAST: Duration = Duration::from_millis(1200);

/// Why a provider cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// There is no place to listen.
    #[error("no place to listen could be opened: {0}")]
    Listen(#[source] io::Error),
    /// The certificates do not work out.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The host does not read the handshake line.
    #[error("the handshake line could not be written: {0}")]
    Handshake(#[source] io::Error),
    /// The server stopped by itself.
    #[error("the server stopped: {0}")]
    Server(#[from] tonic::transport::Error),
}

/// Serves a host that has started this process: answers its handshake, then its calls, until it
/// asks for the end or is itself gone.
///
/// # Errors
/// Where the service cannot start.
pub async fn serve(provider: Arc<dyn Provider>, handshake: &Handshake) -> Result<(), ServeError> {
    let tls = match &handshake.client_certificate {
        Some(pem) => Some(tls::server(pem)?),
        None => None,
    };
    let listener = Listener::open(handshake)
        .await
        .map_err(ServeError::Listen)?;
    announce(listener.address(), tls.as_ref()).map_err(ServeError::Handshake)?;
    let shutdown = CancellationToken::new();
    let guards = tokio::spawn(outlive_nobody(shutdown.clone()));
    let result = run(provider, listener, tls, shutdown).await;
    guards.abort();
    result
}

/// Serves whoever connects, without TLS, until Ctrl-C. `announce` gets the address.
///
/// # Errors
/// Where the service cannot start.
pub async fn serve_debug(
    provider: Arc<dyn Provider>,
    announce: impl FnOnce(&Address),
) -> Result<(), ServeError> {
    let handshake = Handshake {
        client_certificate: None,
        socket_dir: None,
        ports: (10_000, 25_000),
    };
    let listener = Listener::open(&handshake)
        .await
        .map_err(ServeError::Listen)?;
    announce(listener.address());
    let shutdown = CancellationToken::new();
    let interrupt = shutdown.clone();
    let guard = tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            interrupt.cancel();
        }
    });
    let result = run(provider, listener, None, shutdown).await;
    guard.abort();
    result
}

/// The answer to `TF_REATTACH_PROVIDERS`: what Terraform needs to use a provider that is running.
pub fn reattach(source: &str, address: &Address) -> String {
    let Address { network, address } = address;
    serde_json::json!({
        source: {
            "Protocol": "grpc",
            "ProtocolVersion": super::handshake::PROTOCOL_VERSION,
            "Pid": std::process::id(),
            "Test": true,
            "Addr": { "Network": network, "String": address },
        }
    })
    .to_string()
}

fn announce(address: &Address, tls: Option<&ServerTls>) -> io::Result<()> {
    let certificate = tls.map(|tls| tls.certificate.as_slice());
    let line = Line {
        address,
        certificate,
    };
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

async fn run(
    provider: Arc<dyn Provider>,
    listener: Listener,
    tls: Option<ServerTls>,
    shutdown: CancellationToken,
) -> Result<(), ServeError> {
    // Here and not in a task, which the end of the process may overtake.
    let _file = listener.file();
    let service = ProviderServer::new(Service::new(Arc::clone(&provider), shutdown.clone()))
        .max_decoding_message_size(MAX_MESSAGE)
        .max_encoding_message_size(MAX_MESSAGE);
    let (health, health_service) = tonic_health::server::health_reporter();
    // The name under which go-plugin asks.
    health
        .set_service_status("plugin", tonic_health::ServingStatus::Serving)
        .await;
    let server = Server::builder()
        .add_service(service)
        .add_service(health_service)
        .add_service(GrpcControllerServer::new(Controller {
            shutdown: shutdown.clone(),
        }))
        .add_service(GrpcStdioServer::new(Stdio {
            shutdown: shutdown.clone(),
        }))
        .add_service(GrpcBrokerServer::new(Broker {
            shutdown: shutdown.clone(),
        }))
        .serve_with_incoming_shutdown(
            listener.connections(tls.map(|tls| tls.config)),
            shutdown.clone().cancelled_owned(),
        );
    let late = async {
        shutdown.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    let result = tokio::select! {
        result = server => result,
        () = late => Ok(()),
    };
    // In vain where the servers are slow: what is held runs out by itself, too.
    let _ = tokio::time::timeout(LAST, provider.shutdown()).await;
    Ok(result?)
}

/// Ignores Ctrl-C, which a terminal sends to Terraform and its plugins alike: Terraform then asks
/// by `StopProvider`. Ends the process once Terraform itself is gone, as after SIGKILL.
#[cfg(unix)]
async fn outlive_nobody(shutdown: CancellationToken) {
    use std::os::unix::process::parent_id;
    use tokio::signal::unix::{SignalKind, signal};
    let host = parent_id();
    let mut interrupts = signal(SignalKind::interrupt()).ok();
    let mut ticks = tokio::time::interval(Duration::from_secs(2));
    loop {
        let interrupt = async {
            match interrupts.as_mut() {
                Some(signals) => drop(signals.recv().await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = interrupt => tracing::debug!("an interrupt: left to the host"),
            _ = ticks.tick() => if parent_id() != host {
                tracing::warn!("the host is gone");
                shutdown.cancel();
                return;
            },
        }
    }
}

#[cfg(not(unix))]
async fn outlive_nobody(_: CancellationToken) {
    while tokio::signal::ctrl_c().await.is_ok() {}
}
