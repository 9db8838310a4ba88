//! The socket on which Envoy is awaited.

use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::{Stream, StreamExt as _};
use tokio::net::{TcpListener, UnixListener};
use tokio_stream::wrappers::{TcpListenerStream, UnixListenerStream};

use super::Refused;
use super::address::Listen;

/// A bound socket.
#[derive(Debug)]
pub(super) enum Listener {
    Unix(UnixListener, SocketFile),
    Tcp(TcpListener),
}

/// The file of a UNIX socket, which is removed when this is dropped.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    /// By which the file is known to be the one that was made, and not another's who took the path over.
    identity: Option<(u64, u64)>,
}

impl Listener {
    /// Binds. A TCP address that others can reach has to be allowed.
    pub(super) async fn bind(address: &Listen, anywhere: bool) -> Result<Self, Refused> {
        if let Some(why) = address.refused(anywhere) {
            return Err(Refused(vec![why]));
        }
        let refused = |cause: io::Error| Refused(vec![format!("cannot listen on {address}: {cause}")]);
        match address {
            Listen::Unix(path) => {
                let (listener, file) = unix(path).map_err(refused)?;
                Ok(Self::Unix(listener, file))
            }
            Listen::Tcp(address) => TcpListener::bind(address).await.map(Self::Tcp).map_err(refused),
        }
    }

    /// Where it is, with the port that the system chose if 0 was asked for.
    pub(super) fn address(&self) -> io::Result<Listen> {
        Ok(match self {
            Self::Unix(_, file) => Listen::Unix(file.path.clone()),
            Self::Tcp(listener) => Listen::Tcp(listener.local_addr()?),
        })
    }
}

/// Connections to a UNIX socket.
pub(super) fn unix_connections(
    listener: UnixListener,
) -> impl Stream<Item = io::Result<tokio::net::UnixStream>> + Send + 'static {
    patient(UnixListenerStream::new(listener))
}

/// Connections to a TCP port.
pub(super) fn tcp_connections(
    listener: TcpListener,
) -> impl Stream<Item = io::Result<tokio::net::TcpStream>> + Send + 'static {
    patient(TcpListenerStream::new(listener).map(|accepted| {
        // Requests are small, and each is waited for.
        accepted.and_then(|stream| stream.set_nodelay(true).map(|()| stream))
    }))
}

/// Waits a little after a connection could not be accepted: without file descriptors none can be, and trying again at
/// once would only use the processor up.
fn patient<T: Send + 'static>(
    connections: impl Stream<Item = io::Result<T>> + Send + 'static,
) -> impl Stream<Item = io::Result<T>> + Send + 'static {
    connections.then(|accepted| async {
        if let Err(cause) = &accepted {
            tracing::warn!("cannot accept a connection: {cause}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        accepted
    })
}

fn unix(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty())
        && let Err(cause) = std::fs::DirBuilder::new().recursive(true).mode(0o750).create(folder)
    {
        // It may be there all the same, and writable. If not, binding says so.
        tracing::warn!(folder = %folder.display(), "cannot create the folder of the socket: {cause}");
    }
    match std::fs::symlink_metadata(path) {
        // Left by an agent that was killed. Whatever else is there is nothing to remove.
        Ok(found) if found.file_type().is_socket() => std::fs::remove_file(path)?,
        Ok(_) => {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is a file that is no socket"));
        }
        Err(_) => {}
    }
    let listener = UnixListener::bind(path)?;
    // Envoy may run as another user. Who may enter the folder is decided by its mode.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666))?;
    let identity = identity(path);
    Ok((listener, SocketFile { path: path.to_owned(), identity }))
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    std::fs::symlink_metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.identity.is_some() && identity(&self.path) == self.identity {
            _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_replaces_the_one_of_an_agent_that_was_killed_and_is_removed_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("etc/proxy/XDS");
        let address = Listen::Unix(path.clone());
        let first = Listener::bind(&address, false).await.unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o666);
        assert_eq!(std::fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o750);
        let second = Listener::bind(&address, false).await.unwrap();
        drop(first);
        assert!(path.exists(), "it is the second's by now");
        drop(second);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn what_is_no_socket_is_not_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("XDS");
        std::fs::write(&path, "precious").unwrap();
        let refused = Listener::bind(&Listen::Unix(path.clone()), false).await.unwrap_err();
        assert!(refused.to_string().contains("no socket"), "{refused}");
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");
    }

    #[tokio::test]
    async fn a_port_that_others_can_reach_has_to_be_allowed() {
        let everywhere = "0.0.0.0:0".parse().unwrap();
        assert!(Listener::bind(&everywhere, false).await.unwrap_err().to_string().contains("0.0.0.0:0"));
        assert!(Listener::bind(&everywhere, true).await.is_ok());
        let here = Listener::bind(&"127.0.0.1:0".parse().unwrap(), false).await.unwrap();
        assert!(matches!(here.address().unwrap(), Listen::Tcp(address) if address.port() != 0));
    }
}
