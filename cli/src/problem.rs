//! What is wrong with a file, and who would say so.

use std::cell::RefCell;
use std::ops::Range;

use serde::Serialize;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    /// It would not be deployed, or not start.
    Error,
    /// It would, and is probably not what is meant.
    Warning,
}

/// Who has something against it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum By {
    /// The module itself, in its log.
    Module,
    /// Envoy, before a module runs or because one does not.
    Envoy,
    /// The cluster's schema, or Istio's admission webhook.
    Istio,
    /// This command alone.
    Meshloom,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) severity: Severity,
    pub(crate) by: By,
    /// Bytes of the file.
    pub(crate) span: Range<usize>,
    /// Path in the document, such as `spec.pluginConfig.rules[0].name`.
    pub(crate) path: String,
    /// Path in the plugin's configuration, if the module named one.
    pub(crate) field: Option<String>,
    /// As Envoy's log would have it, if a module or Envoy says it.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) hint: Option<String>,
    /// The plugin that it is about.
    pub(crate) plugin: Option<String>,
}

impl Problem {
    pub(crate) fn new(
        by: By,
        span: Range<usize>,
        path: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Error,
            by,
            span,
            path: path.into(),
            field: None,
            message: message.into(),
            hint: None,
            plugin: None,
        }
    }

    pub(crate) fn warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// The problems of a file so far.
#[derive(Debug, Default)]
pub(crate) struct Problems(RefCell<Vec<Problem>>);

impl Problems {
    pub(crate) fn add(&self, problem: Problem) {
        self.0.borrow_mut().push(problem);
    }

    /// All of them, in the order of the file.
    pub(crate) fn take(&self) -> Vec<Problem> {
        let mut problems = self.0.take();
        problems.sort_by_key(|problem| (problem.span.start, problem.severity));
        problems
    }
}
