//! Docker's credential helpers: programs that answer for a host with a user and a password.
//!
//! `docker-credential-NAME get` reads the host on its standard input and writes JSON on its standard output.

use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;
use zeroize::Zeroizing;

use super::{Credential, Found, file};
use crate::fetch::registries::is_helper_name;

/// How long a helper may take; those of clouds ask over the network.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes that it may answer.
const LARGEST: u64 = 256 << 10;
/// The key of Docker Hub in every helper.
const HUB: &str = "https://index.docker.io/v1/";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    #[serde(default)]
    username: String,
    #[serde(default)]
    secret: String,
}

/// Asks a helper about a host. That it knows none is no error: the pull goes on without.
pub(super) async fn ask(name: &str, host: &str) -> Result<Found, String> {
    if !is_helper_name(name) {
        return Err(format!("credential helper {name:?}: expected a name such as ecr-login"));
    }
    let program = format!("docker-credential-{name}");
    let answer = tokio::time::timeout(PATIENCE, run(&program, host)).await;
    let answer = answer.map_err(|_| format!("{program}: no answer within {} s", PATIENCE.as_secs()))?;
    let credential = answer.map_err(|problem| format!("{program}: {problem}"))?;
    Ok(Found { credential, origin: program })
}

pub(super) async fn run(program: &str, host: &str) -> Result<Credential, String> {
    let key = if matches!(host, "docker.io" | "index.docker.io") { HUB } else { host };
    let mut child = Command::new(program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        // It may hold anything; what helpers have to say they say on standard output.
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("cannot be run: {error}"))?;
    let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err("cannot be talked to".to_owned());
    };
    // One that does not read what it is asked may still answer.
    let _ = input.write_all(format!("{key}\n").as_bytes()).await;
    drop(input);
    let mut answer = Zeroizing::new(Vec::new());
    let read = output.take(LARGEST + 1).read_to_end(&mut answer).await;
    read.map_err(|error| format!("its answer cannot be read: {error}"))?;
    if answer.len() as u64 > LARGEST {
        return Err(format!("its answer has more than {LARGEST} bytes"));
    }
    let status = child.wait().await.map_err(|error| error.to_string())?;
    if !status.success() {
        let said = String::from_utf8_lossy(&answer);
        // The words of the helpers' own library.
        if said.contains("credentials not found in native keychain") {
            return Ok(Credential::Anonymous);
        }
        return Err(format!(
            "it ended with {status} and said {:?}",
            said.trim().chars().take(200).collect::<String>()
        ));
    }
    let answer: Answer = serde_json::from_slice(&answer)
        .map_err(|_| "its answer is no JSON with Username and Secret".to_owned())?;
    let secret = Zeroizing::new(answer.secret);
    Ok(if secret.is_empty() { Credential::Anonymous } else { file::basic(&answer.username, &secret) })
}
