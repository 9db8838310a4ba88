//! The page for people: one document, without anything from elsewhere, whole without scripts.

use std::cmp::Reverse;
use std::fmt::{self, Display, Write as _};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::words::{Escaped, Tone, count, fix, size, span, state};
use super::{Admin, Stored};
use crate::Sha256;
use crate::status::{Event, Readiness, ResourceState, Way};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// How many resources and modules are listed. Whoever has more reads them as JSON.
const ROWS: usize = 500;
/// How many responses are listed.
const EVENTS: usize = 10;

/// The Content-Security-Policy: this style, this script, and nothing else, should a name ever get out of its place.
pub(super) fn policy() -> String {
    let hash = |text: &str| STANDARD.encode(Sha256::of(text.as_bytes()).as_bytes());
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}

/// The page as it is now.
pub(super) fn render(admin: &Admin, now: SystemTime) -> String {
    let mut page = String::with_capacity(16 * 1024);
    // Writing to a String does not fail.
    let _infallible = write(&mut page, admin, now);
    page
}

fn write(page: &mut String, admin: &Admin, now: SystemTime) -> fmt::Result {
    let states = admin.board.all();
    let modules = admin.inventory.modules();
    let (tone, verdict) = verdict(&states);
    write!(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>meshloom-agent: {verdict}</title>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <link rel=\"icon\" href=\"data:,\">\n<noscript><meta http-equiv=\"refresh\" content=\"10\"></noscript>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<header>\n<p class=\"name\">meshloom-agent {}</p>\n\
         <p class=\"refresh\"><button id=\"pause\" type=\"button\" hidden>Pause</button></p>\n</header>\n<main>\n\
         <h1 class=\"{}\">{verdict}<small>{}</small></h1>\n",
        env!("CARGO_PKG_VERSION"),
        tone.class(),
        tally(&states),
    )?;
    facts(page, admin, &states, &modules, now)?;
    resources(page, &states, now)?;
    stored(page, &modules, now)?;
    responses(page, &admin.board.history(), now)?;
    page.push_str(
        "</main>\n<footer>\n<p>The same for programs:</p>\n<ul>\n<li><a href=\"/debug/wasm\">resources and modules</a></li>\n\
         <li><a href=\"/debug/ecds\">last responses</a></li>\n<li><a href=\"/debug/config\">options in effect</a></li>\n\
         <li><a href=\"/metrics\">metrics</a></li>\n<li><a href=\"/healthz/ready\">readiness</a></li>\n</ul>\n</footer>\n",
    );
    write!(page, "<script>{SCRIPT}</script>\n</body>\n</html>\n")
}

/// The whole in one sentence.
fn verdict(states: &[ResourceState]) -> (Tone, String) {
    let worst = states.iter().map(|one| state(one).0).max();
    let ill = states.iter().filter(|one| state(one).0 >= Tone::Poor).count();
    let of = states.len();
    let text = match (of, ill) {
        (0, _) => "No remote modules are asked for".to_owned(),
        (1, 0) => "The one filter is as it should be".to_owned(),
        (_, 0) => format!("All {of} filters are as they should be"),
        (1, _) => "The one filter is not as it should be".to_owned(),
        (_, 1) => format!("1 of {of} filters is not as it should be"),
        (_, _) => format!("{ill} of {of} filters are not as they should be"),
    };
    (worst.unwrap_or(Tone::Good), text)
}

/// How many there are of each state, the worst first; nothing if all are well.
fn tally(states: &[ResourceState]) -> String {
    let mut words: Vec<_> = states.iter().map(state).map(|(tone, word, _)| (Reverse(tone), word)).collect();
    words.sort_unstable();
    let kinds: Vec<_> = words
        .chunk_by(PartialEq::eq)
        .filter_map(|same| same.first().map(|(tone, word)| (tone, word, same.len())))
        .filter(|(Reverse(tone), ..)| *tone >= Tone::Poor)
        .map(|(_, word, number)| format!("{number} {word}"))
        .collect();
    kinds.join(", ")
}

fn facts(
    page: &mut String,
    admin: &Admin,
    states: &[ResourceState],
    modules: &[Stored],
    now: SystemTime,
) -> fmt::Result {
    let ready = match admin.board.readiness() {
        Readiness::Ready => "yes".to_owned(),
        Readiness::NotListening => "no: the xDS proxy does not listen".to_owned(),
        Readiness::Waiting(names) => {
            format!("no: Envoy waits for {}", count(names.len(), "filter", "filters"))
        }
    };
    let fallback = states.iter().filter(|one| one.serving.is_fallback()).count();
    let next = states.iter().filter_map(|one| one.due_in(now)).min();
    let bytes: u64 = modules.iter().map(|stored| stored.bytes).sum();
    page.push_str("<dl>\n");
    for (term, text) in [
        ("Ready", ready),
        ("In fallback", count(fallback, "filter", "filters")),
        ("Next attempt", next.map_or_else(|| "none is due".to_owned(), |due| format!("in {}", span(due)))),
        ("Store", format!("{}, {}", count(modules.len(), "module", "modules"), size(bytes))),
        ("Running for", span(now.duration_since(admin.started).unwrap_or_default())),
    ] {
        writeln!(page, "<div><dt>{term}</dt><dd>{text}</dd></div>")?;
    }
    page.push_str("</dl>\n");
    Ok(())
}

fn resources(page: &mut String, states: &[ResourceState], now: SystemTime) -> fmt::Result {
    page.push_str("<h2>Filters</h2>\n");
    if states.is_empty() {
        page.push_str(
            "<p>No control plane has sent an Envoy of this agent a filter whose module is remote. Once one has, it is \
             listed here with its state.</p>\n",
        );
        return Ok(());
    }
    table(page, "Filters, by stream", &["Resource", "State", "Module", "What is next"])?;
    // What needs somebody is on top.
    let mut sorted: Vec<_> = states.iter().collect();
    sorted.sort_by_key(|one| Reverse(state(one).0));
    for one in sorted.into_iter().take(ROWS) {
        let (tone, word, sentence) = state(one);
        write!(
            page,
            "<tr>\n<th scope=\"row\"><bdi>{}</bdi><small>stream {}, changed {} ago</small></th>\n\
             <td><span class=\"state {}\">{word}</span></td>\n<td>",
            Escaped(&one.name),
            one.stream,
            since(one.changed, now),
            tone.class(),
        )?;
        write!(page, "<bdi class=\"source\">{}</bdi>", Escaped(&one.source))?;
        if let Some((sha256, path)) = &one.module {
            write!(page, "<small>sha256 {}<br><bdi>{}</bdi></small>", digest(sha256), Escaped(path))?;
        }
        write!(page, "</td>\n<td><p>{sentence}</p>")?;
        next(page, one, now)?;
        page.push_str("</td>\n</tr>\n");
    }
    end(page, states.len())
}

/// What failed, when it is tried again, and what somebody can do.
fn next(page: &mut String, one: &ResourceState, now: SystemTime) -> fmt::Result {
    if let Some(due) = one.due_in(now) {
        write!(page, "<p>Next attempt in <strong>{}</strong>, after {}.", span(due), attempts(one.attempts))?;
        page.push_str("</p>");
    }
    if let Some((reason, message)) = &one.last_error {
        write!(
            page,
            "<p class=\"error\"><bdi>{}</bdi></p><p><strong>Fix:</strong> {}.</p>",
            Escaped(message),
            Escaped(fix(*reason))
        )?;
    }
    Ok(())
}

fn attempts(number: u32) -> String {
    count(usize::try_from(number).unwrap_or(usize::MAX), "attempt", "attempts")
}

fn stored(page: &mut String, modules: &[Stored], now: SystemTime) -> fmt::Result {
    page.push_str("<h2>Modules in the store</h2>\n");
    if modules.is_empty() {
        page.push_str("<p>None yet.</p>\n");
        return Ok(());
    }
    table(page, "Modules", &["SHA-256", "Size", "Last used", "Where from"])?;
    for module in modules.iter().take(ROWS) {
        let used = module.used_ms.map(|ms| since(UNIX_EPOCH + Duration::from_millis(ms), now));
        let used = match (module.in_use, used) {
            (true, _) => "in use".to_owned(),
            (false, Some(used)) => format!("{used} ago"),
            (false, None) => "not known".to_owned(),
        };
        write!(
            page,
            "<tr>\n<th scope=\"row\">{}<small><bdi>{}</bdi></small></th>\n<td>{}</td>\n<td>{used}</td>\n<td>",
            digest(&module.sha256),
            Escaped(&module.path),
            size(module.bytes),
        )?;
        for source in module.sources.iter().take(8) {
            write!(page, "<bdi class=\"source\">{}</bdi> ", Escaped(source))?;
        }
        page.push_str("</td>\n</tr>\n");
    }
    end(page, modules.len())
}

fn responses(page: &mut String, events: &[Event], now: SystemTime) -> fmt::Result {
    page.push_str("<h2>Last responses of ECDS</h2>\n");
    if events.is_empty() {
        page.push_str("<p>None yet.</p>\n");
        return Ok(());
    }
    table(page, "Responses, newest first", &["When", "Way", "Version", "Resources"])?;
    for event in events.iter().rev().take(EVENTS) {
        let way = match event.way {
            Way::Received => "from the control plane",
            Way::Sent => "to Envoy",
        };
        write!(
            page,
            "<tr>\n<th scope=\"row\">{} ago<small>stream {}</small></th>\n<td>{way}</td>\n<td><bdi>{}</bdi></td>\n<td>",
            since(UNIX_EPOCH + Duration::from_millis(event.at_ms), now),
            event.stream,
            Escaped(&event.version),
        )?;
        if event.malformed {
            page.push_str("cannot be read");
        }
        for resource in event.resources.iter().take(8) {
            write!(page, "<bdi class=\"source\">{}</bdi> ", Escaped(&resource.name))?;
        }
        match event.resources.len().saturating_sub(8) + event.more {
            0 => {}
            more => write!(page, "and {more} more")?,
        }
        page.push_str("</td>\n</tr>\n");
    }
    end(page, 0)
}

fn table(page: &mut String, caption: &str, heads: &[&str]) -> fmt::Result {
    // Wide content scrolls by itself; whoever has no mouse needs to get into it.
    write!(page, "<div class=\"table\" role=\"region\" aria-label=\"{caption}\" tabindex=\"0\">\n<table>\n")?;
    write!(page, "<caption>{caption}</caption>\n<thead>\n<tr>")?;
    heads.iter().try_for_each(|head| write!(page, "<th scope=\"col\">{head}</th>"))?;
    page.push_str("</tr>\n</thead>\n<tbody>\n");
    Ok(())
}

fn end(page: &mut String, rows: usize) -> fmt::Result {
    page.push_str("</tbody>\n</table>\n</div>\n");
    match rows.saturating_sub(ROWS) {
        0 => Ok(()),
        more => {
            writeln!(page, "<p>And {more} more, which <a href=\"/debug/wasm\">/debug/wasm</a> lists.</p>")
        }
    }
}

/// The beginning of a digest, with the whole to be read and copied.
fn digest(sha256: &Sha256) -> impl Display {
    let text = sha256.to_string();
    format!("<code title=\"{text}\">{}…</code>", text.get(..12).unwrap_or(&text))
}

fn since(then: SystemTime, now: SystemTime) -> String {
    span(now.duration_since(then).unwrap_or_default())
}
