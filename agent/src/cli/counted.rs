//! A fetcher whose work is counted.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use futures_util::future::BoxFuture;

use crate::fetch::{Downloaded, Fetcher, Progress, Resolved};
use crate::status::{Metrics, Phase};
use crate::trust::Signature;
use crate::{Unavailable, Wanted};

/// Counts bytes and times.
pub(super) struct Counted<F> {
    inner: F,
    metrics: Arc<Metrics>,
}

impl<F> Counted<F> {
    pub(super) fn new(inner: F, metrics: Arc<Metrics>) -> Self {
        Self { inner, metrics }
    }
}

impl<F: Fetcher> Fetcher for Counted<F> {
    fn resolve<'a>(&'a self, wanted: &'a Wanted) -> BoxFuture<'a, Result<Resolved, Unavailable>> {
        Box::pin(async move {
            let began = Instant::now();
            let resolved = self.inner.resolve(wanted).await;
            self.metrics.phase(Phase::Resolve, began.elapsed());
            resolved
        })
    }

    fn download<'a>(
        &'a self,
        wanted: &'a Wanted,
        resolved: &'a Resolved,
        folder: &'a Path,
        progress: &'a dyn Progress,
    ) -> BoxFuture<'a, Result<Downloaded, Unavailable>> {
        Box::pin(async move {
            let began = Instant::now();
            let downloaded = self.inner.download(wanted, resolved, folder, progress).await;
            self.metrics.phase(Phase::Download, began.elapsed());
            if let Ok(downloaded) = &downloaded {
                self.metrics.fetched(downloaded.size);
            }
            downloaded
        })
    }

    fn signatures<'a>(
        &'a self,
        wanted: &'a Wanted,
        resolved: &'a Resolved,
    ) -> BoxFuture<'a, Result<Vec<Signature>, Unavailable>> {
        Box::pin(async move {
            let began = Instant::now();
            let signatures = self.inner.signatures(wanted, resolved).await;
            self.metrics.phase(Phase::Signatures, began.elapsed());
            signatures
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::Sha256;
    use crate::status::Board;

    /// Has a module of five bytes.
    struct Five;

    impl Fetcher for Five {
        fn resolve<'a>(&'a self, _: &'a Wanted) -> BoxFuture<'a, Result<Resolved, Unavailable>> {
            Box::pin(async { Ok(Resolved::default()) })
        }

        fn download<'a>(
            &'a self,
            _: &'a Wanted,
            _: &'a Resolved,
            folder: &'a Path,
            _: &'a dyn Progress,
        ) -> BoxFuture<'a, Result<Downloaded, Unavailable>> {
            Box::pin(async move {
                let file = tempfile::NamedTempFile::new_in(folder).unwrap();
                Ok(Downloaded { file, sha256: Sha256::of(b"five!"), size: 5 })
            })
        }

        fn signatures<'a>(
            &'a self,
            _: &'a Wanted,
            _: &'a Resolved,
        ) -> BoxFuture<'a, Result<Vec<Signature>, Unavailable>> {
            Box::pin(async { Ok(Vec::new()) })
        }
    }

    #[tokio::test]
    async fn each_phase_is_timed_and_bytes_are_added_up() {
        let metrics = Arc::new(Metrics::default());
        let fetcher = Counted::new(Five, Arc::clone(&metrics));
        let wanted = Wanted::new("https://files.test/a.wasm", "", Duration::from_secs(5));
        let folder = tempfile::tempdir().unwrap();
        let resolved = fetcher.resolve(&wanted).await.unwrap();
        for _ in 0..2 {
            fetcher.download(&wanted, &resolved, folder.path(), &()).await.unwrap();
        }
        fetcher.signatures(&wanted, &resolved).await.unwrap();
        let text = metrics.exposition(&Board::default(), 0);
        for line in [
            "meshloom_agent_fetch_bytes_total 10",
            "meshloom_agent_fetch_phase_seconds_count{phase=\"resolve\"} 1",
            "meshloom_agent_fetch_phase_seconds_count{phase=\"download\"} 2",
            "meshloom_agent_fetch_phase_seconds_count{phase=\"signatures\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }
}
