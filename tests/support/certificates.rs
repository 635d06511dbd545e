//! A certificate authority for one test, and certificates from it for servers and clients.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use std::path::{Path, PathBuf};

/// A certificate authority whose files lie in a folder.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    folder: PathBuf,
    /// The authority's own certificate, in PEM.
    pub pem: String,
}

/// A certificate and its key.
pub struct Certificate {
    /// Path of the certificate in PEM.
    pub certificate: PathBuf,
    /// Path of its private key in PEM.
    pub key: PathBuf,
}

impl Certificate {
    /// Certificate and key one after the other, in PEM.
    pub fn pem(&self) -> String {
        let read = |file: &Path| std::fs::read_to_string(file).unwrap();
        read(&self.certificate) + &read(&self.key)
    }
}

impl Authority {
    /// Makes an authority; its certificate is written to `<folder>/<name>-ca.pem`.
    pub fn new(folder: &Path, name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params
            .distinguished_name
            .push(DnType::CommonName, format!("{name} authority"));
        let certificate = params.self_signed(&key).unwrap();
        let pem = certificate.pem();
        std::fs::write(folder.join(format!("{name}-ca.pem")), &pem).unwrap();
        Self {
            issuer: Issuer::new(params, key),
            folder: folder.to_owned(),
            pem,
        }
    }

    /// A certificate for these DNS names and IP addresses, good for servers and clients.
    pub fn issue(&self, name: &str, subjects: &[&str]) -> Certificate {
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = subjects.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let files = Certificate {
            certificate: self.folder.join(format!("{name}.pem")),
            key: self.folder.join(format!("{name}.key.pem")),
        };
        std::fs::write(&files.certificate, certificate.pem()).unwrap();
        std::fs::write(&files.key, key.serialize_pem()).unwrap();
        files
    }
}
