//! The handshake and the services of go-plugin, through the real binary.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/plugin.rs"]
mod plugin;

use oam_provider::protocol::resource::Provider as _;
use oam_provider::provider::OamProvider;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};
use std::sync::Arc;

use base64::Engine as _;
use oam_provider::protocol::handshake::COOKIE_NAME;
use oam_provider::protocol::wire::plugin::Empty;
use oam_provider::protocol::wire::plugin::grpc_controller_client::GrpcControllerClient;
use oam_provider::protocol::wire::plugin::grpc_stdio_client::GrpcStdioClient;
use oam_provider::protocol::wire::tfplugin6 as wire;
use oam_provider::protocol::wire::tfplugin6::provider_client::ProviderClient;
use plugin::Plugin;
use rustls::ClientConfig;
use rustls::client::ResolvesClientCert;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

/// What only these tests ask of it.
trait Asked {
    /// The schema, as the simplest call that must work.
    async fn schema(&self, tls: Option<ClientConfig>) -> Result<usize, String>;
    /// A host that trusts it.
    fn trusting(&self) -> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>;
}

impl Asked for Plugin {
    async fn schema(&self, tls: Option<ClientConfig>) -> Result<usize, String> {
        let channel = self.connect(tls).await.map_err(|e| format!("{e:?}"))?;
        let request = wire::get_provider_schema::Request {};
        let response = ProviderClient::new(channel)
            .get_provider_schema(request)
            .await;
        let response = response.map_err(|status| format!("{status:?}"))?;
        Ok(response.into_inner().resource_schemas.len())
    }

    fn trusting(&self) -> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.certificate.clone().unwrap()).unwrap();
        let ring = Arc::new(rustls::crypto::ring::default_provider());
        ClientConfig::builder_with_provider(ring)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
    }
}

struct Identity {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
    pem: String,
}

fn identity() -> Identity {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let der = made.cert.der().clone();
    let body = base64::engine::general_purpose::STANDARD.encode(&der);
    Identity {
        pem: format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n"),
        certificate: der,
        key: PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into()),
    }
}

/// Shows one certificate and signs with the key of another.
#[derive(Debug)]
struct Forger(Arc<CertifiedKey>);

impl ResolvesClientCert for Forger {
    fn resolve(&self, _: &[&[u8]], _: &[rustls::SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// How many resources a host is told of.
fn resources() -> usize {
    OamProvider::new(|_| None).resources().len()
}

#[tokio::test]
async fn only_the_host_is_let_in() {
    let host = identity();
    let other = identity();
    let plugin = Plugin::start(Some(&host.pem));

    let none = plugin.trusting().with_no_client_auth();
    assert!(plugin.schema(Some(none)).await.is_err(), "no certificate");

    let another = plugin
        .trusting()
        .with_client_auth_cert(vec![other.certificate.clone()], other.key.clone_key())
        .unwrap();
    assert!(
        plugin.schema(Some(another)).await.is_err(),
        "another certificate"
    );

    let wrong_key = rustls::crypto::ring::sign::any_supported_type(&other.key).unwrap();
    let forged = CertifiedKey::new(vec![host.certificate.clone()], wrong_key);
    let forger = plugin
        .trusting()
        .with_client_cert_resolver(Arc::new(Forger(Arc::new(forged))));
    assert!(
        plugin.schema(Some(forger)).await.is_err(),
        "the certificate without its key"
    );

    assert!(plugin.schema(None).await.is_err(), "no TLS");

    let right = plugin
        .trusting()
        .with_client_auth_cert(vec![host.certificate.clone()], host.key.clone_key())
        .unwrap();
    assert_eq!(
        plugin.schema(Some(right)).await,
        Ok(resources()),
        "the host"
    );
}

#[tokio::test]
async fn a_host_without_a_certificate_is_served_in_plain() {
    let plugin = Plugin::start(None);
    assert_eq!(plugin.certificate, None);
    assert_eq!(plugin.schema(None).await, Ok(resources()));
}

#[tokio::test]
async fn the_controller_ends_the_process_in_spite_of_open_streams() {
    let mut plugin = Plugin::start(None);
    let channel = plugin.connect(None).await.unwrap();
    let stdio = GrpcStdioClient::new(channel.clone()).stream_stdio(()).await;
    let mut stdio = stdio.unwrap().into_inner();
    GrpcControllerClient::new(channel)
        .shutdown(Empty {})
        .await
        .unwrap();
    assert!(stdio.message().await.is_ok_and(|data| data.is_none()));
    assert!(plugin.child.wait().unwrap().success());
    assert!(
        !std::path::Path::new(&plugin.socket).exists(),
        "the socket is left behind"
    );
}

#[tokio::test]
async fn messages_may_be_far_larger_than_grpc_allows_by_itself() {
    let plugin = Plugin::start(None);
    let channel = plugin.connect(None).await.unwrap();
    let mut client = ProviderClient::new(channel).max_decoding_message_size(256 << 20);
    let big = vec![0xc0; 8 << 20];
    let request = wire::validate_resource_config::Request {
        type_name: "oam_application".to_owned(),
        config: Some(wire::DynamicValue {
            msgpack: big,
            json: Vec::new(),
        }),
        ..Default::default()
    };
    let response = client.validate_resource_config(request).await.unwrap();
    let diagnostics = response.into_inner().diagnostics;
    assert_eq!(diagnostics.len(), 1);
    assert_eq!(diagnostics[0].summary, "Unreadable configuration");
}

#[test]
fn by_hand_it_tells_what_it_is() {
    for (arguments, code, text) in [
        (&[][..], 1, "is a Terraform provider"),
        (&["--version"][..], 0, env!("CARGO_PKG_VERSION")),
        (&["--help"][..], 0, "TF_REATTACH_PROVIDERS"),
        (&["--other"][..], 1, "unknown argument"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_terraform-provider-oam"))
            .args(arguments)
            .env_remove(COOKIE_NAME)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        let all = [output.stdout, output.stderr].concat();
        assert!(
            String::from_utf8(all).unwrap().contains(text),
            "{arguments:?}"
        );
    }
}

#[tokio::test]
async fn debugging_prints_how_to_reattach() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_terraform-provider-oam"))
        .arg("--debug")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    let json = line
        .trim()
        .strip_prefix("TF_REATTACH_PROVIDERS='")
        .and_then(|rest| rest.strip_suffix('\''))
        .unwrap();
    let json: serde_json::Value = serde_json::from_str(json).unwrap();
    let provider = &json["oam/oam"];
    assert_eq!(provider["Pid"], child.id());
    let plugin = Plugin {
        socket: provider["Addr"]["String"].as_str().unwrap().to_owned(),
        certificate: None,
        child,
    };
    assert_eq!(plugin.schema(None).await, Ok(resources()));
    let pid = nix::unistd::Pid::from_raw(i32::try_from(plugin.child.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");
}
