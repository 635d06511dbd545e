//! Mutual TLS between the host and this one process (go-plugin's AutoMTLS).
//!
//! Each side makes a certificate for itself and hands it to the other out of band: the host in
//! `PLUGIN_CLIENT_CERT`, the plugin in its handshake line. There is no authority to trust, so a
//! client is let in exactly when it shows the very certificate that the host announced and proves
//! that it has the key. Terraform's is a P-521 certificate marked as an authority, which the usual
//! verifiers refuse on both counts.

use std::sync::Arc;

use p521::ecdsa::signature::Verifier as _;
use p521::pkcs8::DecodePublicKey as _;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, ServerConfig,
    SignatureScheme,
};

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The host's certificate cannot be read.
    #[error("PLUGIN_CLIENT_CERT is not a PEM certificate: {0}")]
    ClientCertificate(rustls::pki_types::pem::Error),
    /// Our own certificate cannot be made.
    #[error("no certificate could be made: {0}")]
    OwnCertificate(#[from] rcgen::Error),
    /// The two do not make a configuration.
    #[error("TLS cannot be set up: {0}")]
    Config(#[from] Error),
}

/// The plugin's side of the connection.
pub struct ServerTls {
    /// The plugin's certificate as DER, for the handshake line.
    pub certificate: Vec<u8>,
    /// What to accept connections with.
    pub config: Arc<ServerConfig>,
}

/// Makes a certificate and a configuration that admits only the holder of the host's certificate.
///
/// # Errors
/// Where the host's certificate is not PEM; the others would be faults of the system.
pub fn server(client_certificate_pem: &str) -> Result<ServerTls, TlsError> {
    let expected = CertificateDer::from_pem_slice(client_certificate_pem.as_bytes())
        .map_err(TlsError::ClientCertificate)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    // The host verifies this name, whatever the address.
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let certificate = own.cert.der().clone();
    let key = PrivateKeyDer::Pkcs8(own.signing_key.serialize_der().into());
    let verifier = Arc::new(OnlyThisClient {
        expected,
        provider: Arc::clone(&provider),
    });
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![certificate.clone()], key)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(ServerTls {
        certificate: certificate.to_vec(),
        config: Arc::new(config),
    })
}

#[derive(Debug)]
struct OnlyThisClient {
    expected: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for OnlyThisClient {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if *end_entity == self.expected {
            Ok(ClientCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify(message, cert, signed, verify_tls12_signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify(message, cert, signed, verify_tls13_signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let mut schemes = self
            .provider
            .signature_verification_algorithms
            .supported_schemes();
        schemes.push(SignatureScheme::ECDSA_NISTP521_SHA512);
        schemes
    }
}

type Verify = fn(
    &[u8],
    &CertificateDer<'_>,
    &DigitallySignedStruct,
    &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, Error>;

impl OnlyThisClient {
    /// TLS 1.2 does not bind the hash to the curve, but with another curve P-521 does not verify.
    fn verify(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
        otherwise: Verify,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        match signed.scheme {
            SignatureScheme::ECDSA_NISTP521_SHA512 => verify_p521(message, cert, signed),
            _ => otherwise(message, cert, signed, algorithms),
        }
    }
}

/// ECDSA with P-521 and SHA-512, which ring does not have.
fn verify_p521(
    message: &[u8],
    cert: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    let refused = |_| Error::from(CertificateError::BadSignature);
    let parsed = ParsedCertificate::try_from(cert)?;
    let key = parsed.subject_public_key_info();
    let key = p521::ecdsa::VerifyingKey::from_public_key_der(key.as_ref())
        .map_err(|_| Error::from(CertificateError::BadEncoding))?;
    let signature = p521::ecdsa::Signature::from_der(signed.signature()).map_err(refused)?;
    key.verify(message, &signature).map_err(refused)?;
    Ok(HandshakeSignatureValid::assertion())
}
