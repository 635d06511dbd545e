//! The provider as a process of its own, spoken to as Terraform does.
#![allow(dead_code, clippy::unwrap_used, clippy::panic)]

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use hyper_util::rt::TokioIo;
use oam_provider::protocol::handshake::{COOKIE_NAME, COOKIE_VALUE};
use rustls::ClientConfig;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::net::UnixStream;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint, Uri};

/// A provider process, ended with the test.
pub struct Plugin {
    /// The process.
    pub child: Child,
    /// The socket that it listens on.
    pub socket: String,
    /// Its certificate, where it speaks TLS.
    pub certificate: Option<CertificateDer<'static>>,
}

impl Drop for Plugin {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // One that was killed cannot do so itself.
        let _ = std::fs::remove_file(&self.socket);
    }
}

impl Plugin {
    /// Starts it as a host with this certificate does, or as one without.
    pub fn start(client_certificate: Option<&str>) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_terraform-provider-oam"));
        command
            .env(COOKIE_NAME, COOKIE_VALUE)
            .env("PLUGIN_PROTOCOL_VERSIONS", "5,6")
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        if let Some(pem) = client_certificate {
            command.env("PLUGIN_CLIENT_CERT", pem);
        }
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let parts: Vec<_> = line.trim_end().split('|').collect();
        let [core, version, network, socket, kind, certificate] = parts[..] else {
            panic!("not a handshake line: {line:?}")
        };
        assert_eq!((core, version, network, kind), ("1", "6", "unix", "grpc"));
        let certificate = (!certificate.is_empty())
            .then(|| CertificateDer::from(STANDARD_NO_PAD.decode(certificate).unwrap()));
        Self {
            child,
            socket: socket.to_owned(),
            certificate,
        }
    }

    /// Connects to it, with TLS or without.
    pub async fn connect(
        &self,
        tls: Option<ClientConfig>,
    ) -> Result<Channel, tonic::transport::Error> {
        let socket = self.socket.clone();
        let tls = tls.map(|mut config| {
            config.alpn_protocols = vec![b"h2".to_vec()];
            TlsConnector::from(Arc::new(config))
        });
        let connector = tower::service_fn(move |_: Uri| {
            let (socket, tls) = (socket.clone(), tls.clone());
            async move {
                let stream = UnixStream::connect(socket).await?;
                let stream: Box<dyn Stream> = match tls {
                    None => Box::new(stream),
                    Some(tls) => {
                        let name = ServerName::try_from("localhost").unwrap();
                        Box::new(tls.connect(name, stream).await?)
                    }
                };
                Ok::<_, std::io::Error>(TokioIo::new(stream))
            }
        });
        Endpoint::from_static("http://plugin")
            .connect_with_connector(connector)
            .await
    }
}

trait Stream: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin {}
impl<T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin> Stream for T {}
