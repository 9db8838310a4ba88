//! The status page in a browser: CHROMIUM names one, or `chromium` is on the PATH; else this says that it is skipped.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::served::Served;

fn chromium() -> Option<PathBuf> {
    let named = std::env::var_os("CHROMIUM").filter(|named| !named.is_empty()).map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found =
        || std::env::split_paths(&path).map(|folder| folder.join("chromium")).find(|file| file.is_file());
    named.or_else(found)
}

/// What the browser prints, on stdout and on stderr.
fn browse(browser: &Path, more: &[&str], url: &str) -> (String, String) {
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--enable-logging=stderr",
        ])
        .args(["--no-first-run", "--disable-background-networking", "--window-size=1280,1400"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(more)
        .arg(url)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_shows_every_resource_and_runs_nothing_of_theirs() {
    let Some(browser) = chromium() else {
        // Not by a macro, whose text is shown only of tests that fail.
        let told = "SKIPPED: the status page was seen by no browser: there is no chromium on the PATH, and CHROMIUM names none";
        std::io::stderr().write_all(format!("{told}\n").as_bytes()).unwrap();
        return;
    };
    let served = Served::start(&[]).await;
    served.fill();
    let url = format!("http://{}/", served.address);

    let (page, console) = browse(&browser, &["--dump-dom"], &url);
    assert!(!console.contains("CONSOLE"), "the console is not empty: {console}");
    assert!(page.contains("<html lang=\"en\">"), "{page}");
    assert!(
        page.contains("<title>meshloom-agent: 4 of 7 filters are not as they should be</title>"),
        "{page}"
    );
    for heading in ["Filters", "Modules in the store", "Last responses of ECDS"] {
        assert!(page.contains(&format!("<h2>{heading}</h2>")), "{heading} is not in {page}");
    }
    for word in ["serving", "sent", "earlier module", "denies all", "allows all", "fetching", "malformed"] {
        assert!(page.contains(&format!("\">{word}</span>")), "{word} is not in {page}");
    }
    assert_eq!(page.matches("<th scope=\"col\">").count(), 8, "two tables, four columns each");
    // The browser has read the name as text, and writes it so.
    assert!(
        page.contains("<bdi>&lt;script&gt;document.title='owned'&lt;/script&gt;\"'&amp;\\u{202e}</bdi>"),
        "{page}"
    );
    // The script of the page has run.
    assert!(page.contains("<button id=\"pause\" type=\"button\">Pause</button>"), "{page}");

    let folder = tempfile::tempdir().unwrap();
    for (mode, more) in [
        ("light", "--blink-settings=preferredColorScheme=1"),
        ("dark", "--blink-settings=preferredColorScheme=0"),
        ("narrow", "--window-size=500,1800"),
    ] {
        let kept = std::env::var_os("PAGE_SCREENSHOTS").map(PathBuf::from);
        let file = kept.as_deref().unwrap_or(folder.path()).join(format!("{mode}.png"));
        let screenshot = format!("--screenshot={}", file.display());
        let (_, console) = browse(&browser, &[&screenshot, more], &url);
        assert!(!console.contains("CONSOLE"), "the console is not empty: {console}");
        let size = std::fs::metadata(&file).unwrap().len();
        assert!(size > 20_000, "{mode}: a picture of {size} bytes shows nothing");
    }
}
