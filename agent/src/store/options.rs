//! Options of the store.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

/// Where modules are kept, how many, and for how long.
#[derive(Args, Clone, Debug)]
pub struct StoreOptions {
    /// Folder of the modules. Envoy must be able to read it under the same path.
    #[arg(long = "cache-dir", env = "MESHLOOM_WASM_CACHE_DIR", default_value = "/var/lib/istio/data")]
    pub folder: PathBuf,
    /// Bytes of modules that are kept. Those in use are never removed, even above this.
    #[arg(long = "cache-bytes", env = "MESHLOOM_WASM_CACHE_BYTES", default_value_t = 1 << 30)]
    pub bytes: u64,
    /// How long a module is kept that no resource uses (such as 24h, 90m).
    #[arg(long = "module-expiry", env = "WASM_MODULE_EXPIRY", default_value = "24h", value_parser = duration)]
    pub expiry: Duration,
    /// How often modules are looked through for those that have expired (such as 1h).
    #[arg(long = "purge-interval", env = "WASM_PURGE_INTERVAL", default_value = "1h", value_parser = duration)]
    pub purge_interval: Duration,
    /// Folder of another agent's modules. Looked into before the network, never written.
    #[arg(long = "shared-store", env = "MESHLOOM_WASM_SHARED_STORE")]
    pub shared: Option<PathBuf>,
}

impl StoreOptions {
    /// A store in that folder; all else as by default.
    #[must_use]
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            bytes: 1 << 30,
            expiry: Duration::from_secs(24 * 3600),
            purge_interval: Duration::from_secs(3600),
            shared: None,
        }
    }
}

/// Go's durations, as Istio's options are written: `1h30m`, `1.5h`, `100ms`.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no duration: expected such as 24h, 1h30m or 500ms");
    let mut rest = text.trim();
    let mut total = 0.0;
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() && rest != "0" {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let (number, after) = rest.split_at(digits);
        let unit = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(unit);
        let seconds = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" => 1e-6,
            "ns" => 1e-9,
            _ => return Err(wrong()),
        };
        total += number.parse::<f64>().map_err(|_| wrong())? * seconds;
        rest = after;
    }
    Duration::try_from_secs_f64(total).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        options: StoreOptions,
    }

    #[test]
    fn the_defaults_are_istios() {
        let options = Command::parse_from(["agent"]).options;
        let expected = StoreOptions::at("/var/lib/istio/data");
        assert_eq!(format!("{options:?}"), format!("{expected:?}"));
    }

    #[test]
    fn durations_are_written_as_in_go() {
        let of = |text: &str| duration(text).map(|duration| duration.as_nanos());
        assert_eq!(of("24h"), Ok(86_400_000_000_000));
        assert_eq!(of("1h30m"), Ok(5_400_000_000_000));
        assert_eq!(of("1.5s"), Ok(1_500_000_000));
        assert_eq!(of("1ms"), Ok(1_000_000));
        assert_eq!(of("0"), Ok(0));
        for text in ["", "24", "h", "-1h", "1d", "1e999h", "1h x"] {
            assert!(of(text).unwrap_err().contains(&format!("{text:?}")));
        }
    }
}
