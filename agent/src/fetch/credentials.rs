//! Credentials of registries, in Docker's format and from Docker's helpers.

mod file;
mod helper;

use std::path::PathBuf;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::HeaderValue;

pub(super) use self::file::DockerConfig;
use super::options::FetchOptions;
use super::registries::{Auth, Entry};
use crate::{Secret, Wanted};

/// Bytes that a file with credentials may have.
const LARGEST: u64 = 4 << 20;

/// What a registry is told about who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Credential {
    Anonymous,
    /// A user and a password.
    Basic {
        username: String,
        password: Secret,
    },
    /// A refresh token, which the token server exchanges.
    Identity(Secret),
    /// A token that the registry takes as it is.
    Registry(Secret),
}

/// A credential, and where it is from for messages.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) credential: Credential,
    pub(super) origin: String,
}

/// What an `Authorization` header says, and is marked so that nobody prints it.
pub(super) fn header(scheme: &str, value: &str) -> Option<HeaderValue> {
    let mut header = HeaderValue::from_str(&format!("{scheme} {value}")).ok()?;
    header.set_sensitive(true);
    Some(header)
}

/// The header of Basic authentication.
pub(super) fn basic(username: &str, password: &Secret) -> Option<HeaderValue> {
    let pair = zeroize::Zeroizing::new(format!("{username}:{}", password.reveal()));
    header("Basic", &BASE64_STANDARD.encode(pair.as_bytes()))
}

/// Where credentials are looked for when a module has no pull secret: what is found first counts, as for Docker's own
/// tools.
#[derive(Clone, Debug)]
pub(super) struct Places {
    files: Vec<PathBuf>,
}

impl Places {
    pub(super) fn new(options: &FetchOptions) -> Self {
        let docker = options.docker_config.clone();
        let home = || std::env::home_dir().map(|home| home.join(".docker"));
        let podman = std::env::var_os("XDG_RUNTIME_DIR")
            .map(|folder| PathBuf::from(folder).join("containers/auth.json"));
        let files = docker.or_else(home).map(|folder| folder.join("config.json"));
        Self { files: files.into_iter().chain(options.registry_auth_file.clone()).chain(podman).collect() }
    }

    /// The credentials for a repository: of the pull secret if there is one, else of the registry configuration, else
    /// of the first file that is there.
    ///
    /// # Errors
    ///
    /// In words, if what there is cannot be used.
    pub(super) async fn find(
        &self,
        wanted: &Wanted,
        entry: Option<&Entry>,
        host: &str,
        repository: &str,
    ) -> Result<Found, String> {
        if let Some(secret) = &wanted.pull_secret {
            let origin = "the pull secret".to_owned();
            // A pull secret may have no helpers: it comes from elsewhere, and does not say what is run here.
            let config = DockerConfig::parse(secret.reveal().as_bytes())
                .map_err(|problem| format!("{origin}: {problem}"))?;
            return Ok(Found { credential: config.listed(host, repository), origin });
        }
        match entry.and_then(|entry| entry.auth.as_ref()) {
            Some(Auth::Anonymous) => Ok(Found {
                credential: Credential::Anonymous,
                origin: "the registry configuration".to_owned(),
            }),
            Some(Auth::DockerConfig(path)) => DockerConfig::read(path)?.find(host, repository, path).await,
            Some(Auth::Helper(name)) => helper::ask(name, host).await,
            Some(Auth::Password { username, file }) => {
                let origin = file.display().to_string();
                let read = super::registries::read_file(file, LARGEST)
                    .map_err(|problem| format!("{origin}: {problem}"))?;
                let read = zeroize::Zeroizing::new(read);
                let text = str::from_utf8(&read).map_err(|_| format!("{origin}: is no text in UTF-8"))?;
                let password = Secret::new(text.trim_end_matches(['\r', '\n']).to_owned());
                Ok(Found { credential: Credential::Basic { username: username.clone(), password }, origin })
            }
            None => match self.files.iter().find(|path| path.exists()) {
                Some(path) => DockerConfig::read(path)?.find(host, repository, path).await,
                None => Ok(Found {
                    credential: Credential::Anonymous,
                    origin: "neither a pull secret nor a Docker configuration".to_owned(),
                }),
            },
        }
    }
}

#[cfg(test)]
mod tests;
