//! JUnit XML, which CI systems read: a suite for each file and profile, a case for each test.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::{Suite, failures};
use crate::run::Outcome;

/// # Errors
///
/// If it cannot be written, which has not been seen.
pub(crate) fn xml(suites: &[Suite]) -> Result<String, quick_junit::SerializeError> {
    let mut report = Report::new("pwh");
    for suite in suites {
        let mut cases = TestSuite::new(format!("{} ({})", suite.path.display(), suite.profile));
        cases.set_time(suite.outcomes.iter().map(|outcome| outcome.took).sum::<Duration>());
        cases.add_property(("profile", suite.profile.to_string().as_str()));
        let class = suite.path.file_name().unwrap_or_default().to_string_lossy();
        let class = class.split('.').next().unwrap_or_default();
        for outcome in &suite.outcomes {
            cases.add_test_case(case(suite, class, outcome));
        }
        report.add_test_suite(cases);
    }
    report.to_string()
}

fn case(suite: &Suite, class: &str, outcome: &Outcome) -> TestCase {
    let status = match outcome.failures.first() {
        None => TestCaseStatus::success(),
        Some(first) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_message(format!("{}: expected {}, got {}", first.what, first.expected, first.got));
            status.set_type("expectation");
            status.set_description(failures(&suite.path, outcome, false).trim());
            status
        }
    };
    let failed = !outcome.failures.is_empty();
    let mut case = TestCase::new(outcome.name.as_str(), status);
    case.set_classname(class);
    case.set_time(outcome.took);
    case.extra.insert("file".into(), suite.path.display().to_string().into());
    case.extra.insert("line".into(), outcome.at.line.to_string().into());
    if failed {
        case.set_system_out(outcome.transcript.as_str());
    }
    case
}
