//! Where a host connects: a socket only its user can reach, or loopback where there are none.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;

use super::handshake::{Address, Handshake};

/// A place where a host can connect.
pub struct Listener {
    inner: Inner,
    address: Address,
}

/// Removes a socket's file when it is dropped.
#[derive(Debug)]
pub struct SocketFile(std::path::PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Gone already, at worst.
        let _ = std::fs::remove_file(&self.0);
    }
}

enum Inner {
    #[cfg(unix)]
    Unix(tokio::net::UnixListener),
    #[cfg_attr(unix, allow(dead_code))]
    Tcp(tokio::net::TcpListener),
}

impl Listener {
    /// Opens a Unix socket in the host's folder, or else a TCP port in its range.
    ///
    /// # Errors
    /// Where neither can be had.
    pub async fn open(handshake: &Handshake) -> io::Result<Self> {
        #[cfg(unix)]
        {
            let dir = handshake.socket_dir.clone();
            Self::unix(&dir.unwrap_or_else(std::env::temp_dir))
        }
        #[cfg(not(unix))]
        {
            Self::tcp(handshake.ports).await
        }
    }

    #[cfg(unix)]
    fn unix(dir: &std::path::Path) -> io::Result<Self> {
        use std::os::unix::fs::PermissionsExt as _;
        let path = dir.join(format!("oam-{:016x}.sock", fastrand::u64(..)));
        let listener = tokio::net::UnixListener::bind(&path)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        let address = Address {
            network: "unix",
            address: path.to_string_lossy().into_owned(),
        };
        Ok(Self {
            inner: Inner::Unix(listener),
            address,
        })
    }

    /// Opens the first free loopback port of a range, both ends included.
    ///
    /// # Errors
    /// Where none is free.
    pub async fn tcp((first, last): (u16, u16)) -> io::Result<Self> {
        for port in first..=last {
            if let Ok(listener) = tokio::net::TcpListener::bind(("127.0.0.1", port)).await {
                let address = Address {
                    network: "tcp",
                    address: listener.local_addr()?.to_string(),
                };
                return Ok(Self {
                    inner: Inner::Tcp(listener),
                    address,
                });
            }
        }
        Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            format!("no port between {first} and {last} is free"),
        ))
    }

    /// Where the host can connect.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The file to remove in the end, where there is one.
    pub fn file(&self) -> Option<SocketFile> {
        match self.inner {
            #[cfg(unix)]
            Inner::Unix(_) => Some(SocketFile(self.address.address.clone().into())),
            Inner::Tcp(_) => None,
        }
    }

    async fn accept(&self) -> io::Result<Box<dyn Stream>> {
        match &self.inner {
            #[cfg(unix)]
            Inner::Unix(listener) => Ok(Box::new(listener.accept().await?.0)),
            Inner::Tcp(listener) => {
                let stream = listener.accept().await?.0;
                stream.set_nodelay(true)?;
                Ok(Box::new(stream))
            }
        }
    }

    /// The connections as they come, each after its TLS handshake where there is TLS. One that
    /// fails it is dropped, and does not keep the others waiting.
    pub fn connections(
        self,
        tls: Option<Arc<ServerConfig>>,
    ) -> ReceiverStream<io::Result<Connection>> {
        let (sender, receiver) = mpsc::channel(8);
        let acceptor = tls.map(TlsAcceptor::from);
        tokio::spawn(async move {
            loop {
                let stream = tokio::select! {
                    stream = self.accept() => stream,
                    () = sender.closed() => return,
                };
                let stream = match stream {
                    Ok(stream) => stream,
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be accepted");
                        // Out of descriptors, most likely: others may close in the meantime.
                        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                        continue;
                    }
                };
                let (sender, acceptor) = (sender.clone(), acceptor.clone());
                tokio::spawn(async move {
                    let connection = match acceptor {
                        None => Connection(stream),
                        Some(acceptor) => match acceptor.accept(stream).await {
                            Ok(stream) => Connection(Box::new(stream)),
                            Err(error) => {
                                tracing::warn!(%error, "a client was refused");
                                return;
                            }
                        },
                    };
                    // The receiver is gone only when the server has stopped.
                    let _ = sender.send(Ok(connection)).await;
                });
            }
        });
        ReceiverStream::new(receiver)
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection of any of these kinds.
pub struct Connection(Box<dyn Stream>);

impl Connected for Connection {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }
}
