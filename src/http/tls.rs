//! TLS settings, and the `rustls` configuration they mean.
//!
//! The cryptography is ring's. As with the official clients, a CA given by the user replaces the
//! system's roots; without one the system's roots are loaded, and only when the address is `https`.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::{Secret, SettingsError};

/// PEM text, or the file that holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pem {
    /// A file, read when the first connection is made.
    File(PathBuf),
    /// The text itself; secret because it may be a private key.
    Text(Secret),
}

impl Pem {
    /// The PEM text. `field` is the setting's name without its ending, such as `ca`.
    fn read(&self, field: PemField) -> Result<Vec<u8>, SettingsError> {
        match self {
            Pem::Text(text) => Ok(text.expose().as_bytes().to_vec()),
            Pem::File(path) => std::fs::read(path).map_err(|error| SettingsError {
                field: field.file,
                summary: format!("The {} cannot be read", field.what),
                detail: format!(
                    "Reading {} failed: {error}. Check `{}`{}, and that this user may read the file.",
                    path.display(),
                    field.file,
                    field.variable_hint(),
                ),
            }),
        }
    }

    fn name(&self, field: PemField) -> &'static str {
        match self {
            Pem::File(_) => field.file,
            Pem::Text(_) => field.text,
        }
    }
}

/// How a PEM setting is called in messages.
#[derive(Clone, Copy)]
struct PemField {
    what: &'static str,
    file: &'static str,
    text: &'static str,
    variables: &'static str,
}

impl PemField {
    fn variable_hint(self) -> String {
        format!(" (or the environment variable {})", self.variables)
    }
}

const CA: PemField = PemField {
    what: "CA certificate",
    file: "ca_file",
    text: "ca_pem",
    variables: "NOMAD_CACERT or CONSUL_CACERT",
};
const CERT: PemField = PemField {
    what: "client certificate",
    file: "cert_file",
    text: "cert_pem",
    variables: "NOMAD_CLIENT_CERT or CONSUL_CLIENT_CERT",
};
const KEY: PemField = PemField {
    what: "client key",
    file: "key_file",
    text: "key_pem",
    variables: "NOMAD_CLIENT_KEY or CONSUL_CLIENT_KEY",
};

/// How a server proves itself, and how the provider does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// Trusted CA certificates; the system's when absent.
    pub ca: Option<Pem>,
    /// Client certificate chain and its private key, for mutual TLS.
    pub identity: Option<(Pem, Pem)>,
    /// The name the server's certificate must carry, where it is not the address' host.
    pub server_name: Option<String>,
    /// Accept any certificate. For experiments only.
    pub skip_verify: bool,
}

impl Tls {
    /// The configuration for an `https` address. Reads the files, or the system's roots.
    ///
    /// # Errors
    /// A file that cannot be read, PEM text without what it should hold, a key that does not fit.
    pub(super) fn client_config(&self) -> Result<ClientConfig, SettingsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = builder(&provider)?;
        let builder = if self.skip_verify {
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        } else if let Some(name) = &self.server_name {
            let name = ServerName::try_from(name.clone()).map_err(|_| SettingsError {
                field: "tls_server_name",
                summary: "The TLS server name is not a host name".to_owned(),
                detail: format!("\"{name}\" is neither a DNS name nor an IP address. Write the name that the server's certificate carries, such as \"server.global.nomad\"."),
            })?;
            let inner =
                WebPkiServerVerifier::builder_with_provider(Arc::new(self.roots()?), provider)
                    .build()
                    .map_err(|error| unusable(CA.text, CA.what, &error.to_string()))?;
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(NamedCertificate { inner, name }))
        } else {
            builder.with_root_certificates(self.roots()?)
        };
        match &self.identity {
            None => Ok(builder.with_no_client_auth()),
            Some((cert, key)) => {
                let chain = certificates(cert, CERT)?;
                let secret = PrivateKeyDer::from_pem_slice(&key.read(KEY)?)
                    .map_err(|error| unusable(key.name(KEY), KEY.what, &error.to_string()))?;
                builder
                    .with_client_auth_cert(chain, secret)
                    .map_err(|error| {
                        unusable(
                            key.name(KEY),
                            "client certificate with its key",
                            &error.to_string(),
                        )
                    })
            }
        }
    }

    /// The configuration for an `http` address: never used for a handshake, so nothing is loaded.
    pub(super) fn unused_config() -> Result<ClientConfig, SettingsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        Ok(builder(&provider)?
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth())
    }

    fn roots(&self) -> Result<RootCertStore, SettingsError> {
        let mut roots = RootCertStore::empty();
        match &self.ca {
            Some(pem) => {
                for certificate in certificates(pem, CA)? {
                    roots
                        .add(certificate)
                        .map_err(|error| unusable(pem.name(CA), CA.what, &error.to_string()))?;
                }
            }
            None => {
                let loaded = rustls_native_certs::load_native_certs();
                roots.add_parsable_certificates(loaded.certs);
                if roots.is_empty() {
                    return Err(SettingsError {
                        field: CA.file,
                        summary: "The system has no trusted CA certificates".to_owned(),
                        detail: format!(
                            "Set `ca_file` or `ca_pem`{} to the CA that signed the server's certificate.",
                            CA.variable_hint()
                        ),
                    });
                }
            }
        }
        Ok(roots)
    }
}

fn builder(
    provider: &Arc<CryptoProvider>,
) -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, SettingsError> {
    ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable("address", "TLS stack", &error.to_string()))
}

fn certificates(pem: &Pem, field: PemField) -> Result<Vec<CertificateDer<'static>>, SettingsError> {
    let text = pem.read(field)?;
    let found: Vec<_> = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .map_err(|error| unusable(pem.name(field), field.what, &error.to_string()))?;
    if found.is_empty() {
        return Err(unusable(
            pem.name(field),
            field.what,
            "it holds no PEM certificate",
        ));
    }
    Ok(found)
}

fn unusable(field: &'static str, what: &str, reason: &str) -> SettingsError {
    SettingsError {
        field,
        summary: format!("The {what} cannot be used"),
        detail: format!(
            "`{field}`: {reason}. It must be PEM text that begins with \"-----BEGIN\"."
        ),
    }
}

/// Checks the chain against the roots, and the certificate against a name that is not the address'.
///
/// The name sent in the handshake (SNI) stays the address' host.
#[derive(Debug)]
struct NamedCertificate {
    inner: Arc<WebPkiServerVerifier>,
    name: ServerName<'static>,
}

impl ServerCertVerifier for NamedCertificate {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.inner
            .verify_server_cert(end_entity, intermediates, &self.name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// `skip_verify`: any certificate will do, but the server must still hold its key.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
