//! What is done to the request at hand.

use std::rc::Rc;

use super::abi::{self, Map};
use super::{Count, Enriched, Enrichment, Target, Verdict, Vm, Word};

/// The filter state that has the outcome, for the access log.
const OUTCOME: &str = "callout-enrichment";

impl Vm {
    /// Does to the request at hand what the verdict says. Whether it goes on.
    pub(super) fn act(
        &mut self,
        context: u32,
        config: &Rc<Enrichment>,
        verdict: &Verdict,
        is_stripped: bool,
    ) -> bool {
        let word = match verdict {
            Verdict::With(enriched, word) => {
                self.enrich(context, config, enriched, is_stripped);
                *word
            }
            Verdict::Without(word) => {
                if !is_stripped {
                    config.stripped().for_each(abi::strip);
                }
                if *word != Word::Skipped {
                    self.tally.count(Count::Errors);
                }
                *word
            }
            Verdict::Deny(status, word) => {
                let text = format!("enrichment: {}\n", word.as_str());
                self.deny(*word, *status, &abi::NO_LINES, text.as_bytes());
                return false;
            }
            Verdict::DenyAsAnswered(denial) => {
                self.deny(Word::Refused, denial.status, &denial.headers, &denial.body);
                return false;
            }
        };
        // What is decided without the service's time is not made to take longer.
        if !matches!(word, Word::Cache | Word::Skipped) {
            abi::set_filter_state(OUTCOME, word.as_str().as_bytes());
        }
        if let Some(name) = &config.status_header {
            abi::set_header(Map::Request, name, word.as_str().as_bytes());
        }
        true
    }

    fn deny(&mut self, word: Word, status: u16, headers: &[u8], body: &[u8]) {
        self.tally.count(Count::Errors);
        self.tally.count(Count::Denied);
        let cause = word.as_str();
        abi::set_filter_state(OUTCOME, format!("deny:{cause}").as_bytes());
        abi::reply(status, &format!("enrichment_{cause}"), headers, body);
    }

    fn enrich(&mut self, context: u32, config: &Rc<Enrichment>, enriched: &Rc<Enriched>, is_stripped: bool) {
        let mut responds = false;
        for (mapping, value) in config.map.iter().zip(&enriched.values) {
            match (&mapping.target, value) {
                (Target::Request(name), Some(value)) => abi::set_header(Map::Request, name, value),
                (Target::Request(name), None) if !is_stripped => abi::strip(name),
                (Target::Response(_), Some(_)) => responds = true,
                (Target::FilterState(name), Some(value)) => abi::set_filter_state(name, value),
                (_, None) => {}
            }
        }
        if responds {
            self.responses.insert(context, (Rc::clone(config), Rc::clone(enriched)));
        }
    }
}
