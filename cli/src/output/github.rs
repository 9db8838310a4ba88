//! For GitHub Actions: an annotation for each problem.
//! <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>

use crate::check::Report;
use crate::problem::Severity;

pub(super) fn show(reports: &[Report]) -> String {
    let mut text = String::new();
    for report in reports {
        let (source, file) = (&report.source, property(&report.source.name));
        for problem in &report.problems {
            let at = source.at(problem.span.start);
            let level = match problem.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            };
            let mut message = data(&problem.message);
            if !problem.path.is_empty() {
                message.push_str(&data(&format!("\nat {}", problem.path)));
            }
            if let Some(hint) = &problem.hint {
                message.push_str(&data(&format!("\nhint: {hint}")));
            }
            text.push_str(&format!("::{level} file={file},line={},col={}::{message}\n", at.line, at.column));
        }
        for (at, message) in &report.unknown {
            let at = source.at(*at);
            text.push_str(&format!(
                "::error file={file},line={},col={}::{}\n",
                at.line,
                at.column,
                data(message)
            ));
        }
    }
    text
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_stays_on_its_line_and_in_its_place() {
        assert_eq!(data("100 %\n::error::x"), "100 %25%0A::error::x");
        assert_eq!(property("a:b,c.yaml"), "a%3Ab%2Cc.yaml");
    }
}
