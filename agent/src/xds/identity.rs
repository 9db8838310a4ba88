//! Whom the agent trusts to be the control plane, and what it shows of itself. All files are read at each dial, so
//! that renewed ones are used without a restart.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tonic::transport::{Certificate, Identity};
use zeroize::Zeroizing;

use super::address::Discovery;
use super::options::Options;
use crate::Secret;

/// Bytes that a file of certificates, a key or a token may have.
const MAX_FILE: u64 = 1024 * 1024;

/// Where certificates are looked for that no option tells of. Relative to where the agent runs, as in Istio.
const MOUNTED_ROOT: &str = "./etc/certs/root-cert.pem";
const ISTIO_ROOT: &str = "./var/run/secrets/istio/root-cert.pem";

/// The CAs that the control plane's certificate may be from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Root {
    /// Those of this machine.
    System,
    /// Those in this file.
    File(PathBuf),
}

impl Root {
    /// The first that is told, in Istio's order (`FindRootCAForXDS`).
    pub(super) fn find(options: &Options) -> Result<Self, String> {
        if let Some(path) = &options.xds_root_ca {
            return Ok(if path.as_os_str() == "SYSTEM" { Self::System } else { Self::File(path.clone()) });
        }
        if Path::new(MOUNTED_ROOT).is_file() {
            return Ok(Self::File(MOUNTED_ROOT.into()));
        }
        if let Some(folder) = &options.prov_cert {
            return Ok(Self::File(folder.join("root-cert.pem")));
        }
        if options.file_mounted_certs {
            return options.tls_client_root_cert.clone().map(Self::File).ok_or_else(|| {
                "FILE_MOUNTED_CERTS is set, but ISTIO_META_TLS_CLIENT_ROOT_CERT is not: name the file of the control \
                 plane's CA"
                    .to_owned()
            });
        }
        if options.pilot_cert_provider.eq_ignore_ascii_case("none") {
            return Err(
                "PILOT_CERT_PROVIDER is none, so the control plane's CA is not known: name its file in \
                        XDS_ROOT_CA"
                    .to_owned(),
            );
        }
        Ok(Self::File(ISTIO_ROOT.into()))
    }

    /// The certificates, of which there is one at least. Nothing, for those of this machine.
    pub(super) fn read(&self) -> Result<Option<Certificate>, String> {
        let Self::File(path) = self else { return Ok(None) };
        let pem = read(path).map_err(|cause| format!("root CA file for XDS {}: {cause}", path.display()))?;
        let mut roots = rustls::RootCertStore::empty();
        let found = certificates(&pem);
        let (usable, _) = roots.add_parsable_certificates(found.iter().cloned());
        if usable == 0 {
            return Err(format!(
                "root CA file for XDS {}: has {} certificates in PEM, none of which can be used",
                path.display(),
                found.len()
            ));
        }
        Ok(Some(Certificate::from_pem(pem.as_slice())))
    }
}

/// The name that the control plane's certificate must have (`ISTIOD_SAN`, else from the address).
pub(super) fn server_name(options: &Options) -> Option<String> {
    let Discovery::Tcp { authority, .. } = &options.discovery_address else { return None };
    if let Some(name) = &options.istiod_san {
        return Some(name.clone());
    }
    // A forwarded port: istiod's certificate has not the name of this machine.
    if authority.as_str().contains("localhost") {
        return Some("istiod.istio-system.svc".to_owned());
    }
    Some(authority.host().trim_start_matches('[').trim_end_matches(']').to_owned())
}

/// The agent's own certificate and key, where it is given some (`GetKeyCertsForXDS`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyPair {
    chain: PathBuf,
    key: PathBuf,
}

impl KeyPair {
    pub(super) fn find(options: &Options) -> Option<Self> {
        if let Some(folder) = &options.prov_cert {
            return Some(Self { chain: folder.join("cert-chain.pem"), key: folder.join("key.pem") });
        }
        match (&options.tls_client_cert_chain, &options.tls_client_key) {
            (Some(chain), Some(key)) if options.file_mounted_certs => {
                Some(Self { chain: chain.clone(), key: key.clone() })
            }
            _ => None,
        }
    }

    /// The certificate, unless it would be refused anyway: then the token has to do.
    pub(super) fn read(&self) -> Result<Identity, String> {
        let named = |path: &Path, cause: String| format!("{}: {cause}", path.display());
        let chain = read(&self.chain).map_err(|cause| named(&self.chain, cause))?;
        let key = read(&self.key).map_err(|cause| named(&self.key, cause))?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        valid_at(&certificates(&chain), i64::try_from(now).unwrap_or(i64::MAX))
            .map_err(|cause| named(&self.chain, cause))?;
        Ok(Identity::from_pem(chain.as_slice(), key.as_slice()))
    }
}

fn certificates(pem: &[u8]) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem).filter_map(Result::ok).collect()
}

/// Whether each certificate of a chain can be read and is valid at that time, in seconds since 1970.
fn valid_at(chain: &[CertificateDer<'_>], now: i64) -> Result<(), String> {
    if chain.is_empty() {
        return Err("has no certificate in PEM".to_owned());
    }
    for certificate in chain {
        let (_, read) = x509_parser::parse_x509_certificate(certificate)
            .map_err(|_| "has a certificate that cannot be read".to_owned())?;
        let validity = read.validity();
        if now > validity.not_after.timestamp() {
            return Err(format!("expired at {}", validity.not_after));
        }
        if now < validity.not_before.timestamp() {
            return Err(format!("is not valid before {}", validity.not_before));
        }
    }
    Ok(())
}

/// The token in a file. Nothing if it is empty, or if there is none: istiod may accept the certificate alone.
pub(super) fn token(path: &Path) -> Option<Secret> {
    match read(path) {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            let token = text.trim();
            (!token.is_empty()).then(|| Secret::new(token.to_owned()))
        }
        Err(cause) => {
            tracing::warn!(file = %path.display(), "cannot read the token, so none is sent: {cause}");
            None
        }
    }
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let file = std::fs::File::open(path).map_err(|cause| cause.to_string())?;
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(|cause| cause.to_string())?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(format!("is larger than {MAX_FILE} bytes"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Command {
        #[command(flatten)]
        options: Options,
    }

    fn options(arguments: &[&str]) -> Options {
        Command::parse_from([&["agent"], arguments].concat()).options
    }

    #[test]
    fn the_root_ca_is_looked_for_in_istio_s_order() {
        let all = &[
            "--xds-root-ca=ca.pem",
            "--prov-cert=prov",
            "--file-mounted-certs",
            "--tls-client-root-cert=mounted.pem",
            "--pilot-cert-provider=none",
        ];
        let file = |path: &str| Ok(Root::File(path.into()));
        assert_eq!(Root::find(&options(&["--xds-root-ca=SYSTEM"])), Ok(Root::System));
        assert_eq!(Root::find(&options(&all[0..])), file("ca.pem"));
        assert_eq!(Root::find(&options(&all[1..])), file("prov/root-cert.pem"));
        assert_eq!(Root::find(&options(&all[2..])), file("mounted.pem"));
        assert!(Root::find(&options(&all[2..3])).unwrap_err().contains("ISTIO_META_TLS_CLIENT_ROOT_CERT"));
        assert!(Root::find(&options(&all[4..])).unwrap_err().contains("XDS_ROOT_CA"));
        assert_eq!(Root::find(&options(&[])), file("./var/run/secrets/istio/root-cert.pem"));
    }

    #[test]
    fn a_root_ca_file_that_is_missing_or_has_no_certificate_is_refused_by_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let refusal = || Root::File(path.clone()).read().unwrap_err();
        assert!(refusal().contains(path.to_str().unwrap()), "{}", refusal());
        std::fs::write(&path, "-----BEGIN CERTIFICATE-----\naGk=\n-----END CERTIFICATE-----\n").unwrap();
        assert!(refusal().contains("1 certificates in PEM, none"), "{}", refusal());
        std::fs::write(&path, vec![b'a'; 2_000_000]).unwrap();
        assert!(refusal().contains("larger than"), "{}", refusal());
    }

    #[test]
    fn the_server_s_name_is_the_host_s_unless_that_is_this_machine_or_another_is_told() {
        let name = |arguments: &[&str]| server_name(&options(arguments));
        assert_eq!(name(&["--discovery-address=a.example.com:15012"]).unwrap(), "a.example.com");
        assert_eq!(name(&["--discovery-address=[::1]:15012"]).unwrap(), "::1");
        assert_eq!(name(&["--discovery-address=localhost:15012"]).unwrap(), "istiod.istio-system.svc");
        assert_eq!(name(&["--discovery-address=localhost:1", "--istiod-san=other"]).unwrap(), "other");
        assert_eq!(name(&["--discovery-address=unix:/run/istiod"]), None);
    }

    #[test]
    fn the_agent_s_certificate_is_where_it_was_given_or_mounted() {
        let mounted = ["--file-mounted-certs", "--tls-client-cert-chain=chain", "--tls-client-key=key"];
        assert_eq!(KeyPair::find(&options(&mounted[1..])), None);
        assert_eq!(
            KeyPair::find(&options(&mounted)),
            Some(KeyPair { chain: "chain".into(), key: "key".into() })
        );
        assert_eq!(
            KeyPair::find(&options(&["--prov-cert=prov"])),
            Some(KeyPair { chain: "prov/cert-chain.pem".into(), key: "prov/key.pem".into() })
        );
    }

    #[test]
    fn a_certificate_is_valid_between_its_dates() {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut parameters = rcgen::CertificateParams::new(["agent".to_owned()]).unwrap();
        parameters.not_before = rcgen::date_time_ymd(2020, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(2021, 1, 1);
        let chain = [parameters.self_signed(&key).unwrap().der().clone()];
        assert!(valid_at(&chain, 1_600_000_000).is_ok());
        assert!(valid_at(&chain, 1_700_000_000).unwrap_err().contains("expired"));
        assert!(valid_at(&chain, 1_500_000_000).unwrap_err().contains("before"));
        assert!(valid_at(&[], 0).unwrap_err().contains("no certificate"));
        assert!(valid_at(&[CertificateDer::from_slice(b"no")], 0).unwrap_err().contains("cannot be read"));
    }

    #[test]
    fn a_token_is_trimmed_and_an_empty_or_missing_one_is_not_sent() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        assert_eq!(token(&path), None);
        std::fs::write(&path, " \n").unwrap();
        assert_eq!(token(&path), None);
        std::fs::write(&path, "abc\n").unwrap();
        assert_eq!(token(&path).unwrap().reveal(), "abc");
    }
}
