//! What is done to the request at hand.

use std::rc::Rc;

use filter_abi::header::{self, Map, NO_LINES};
use filter_abi::{property, stream};

use super::{Count, Enriched, Enrichment, Target, Verdict, Vm, Word, strip};

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
                    config.stripped().for_each(strip);
                }
                if *word != Word::Skipped {
                    self.tally.count(Count::Errors);
                }
                *word
            }
            Verdict::Deny(status, word) => {
                let text = format!("enrichment: {}\n", word.as_str());
                self.deny(*word, *status, &NO_LINES, text.as_bytes());
                return false;
            }
            Verdict::DenyAsAnswered(denial) => {
                self.deny(Word::Refused, denial.status, &denial.headers, &denial.body);
                return false;
            }
        };
        // What is decided without the service's time is not made to take longer.
        if !matches!(word, Word::Cache | Word::Skipped) {
            property::keep(OUTCOME, word.as_str().as_bytes());
        }
        if let Some(name) = &config.status_header {
            header::replace(Map::Request, name.as_bytes(), word.as_str().as_bytes());
        }
        true
    }

    fn deny(&mut self, word: Word, status: u16, headers: &[u8], body: &[u8]) {
        self.tally.count(Count::Errors);
        self.tally.count(Count::Denied);
        let cause = word.as_str();
        property::keep(OUTCOME, format!("deny:{cause}").as_bytes());
        stream::reply(
            u32::from(status),
            &format!("enrichment_{cause}"),
            headers,
            body,
            stream::NO_GRPC_STATUS,
        );
    }

    fn enrich(&mut self, context: u32, config: &Rc<Enrichment>, enriched: &Rc<Enriched>, is_stripped: bool) {
        let mut responds = false;
        for (mapping, value) in config.map.iter().zip(&enriched.values) {
            match (&mapping.target, value) {
                (Target::Request(name), Some(value)) => {
                    header::replace(Map::Request, name.as_bytes(), value);
                }
                (Target::Request(name), None) if !is_stripped => strip(name),
                (Target::Response(_), Some(_)) => responds = true,
                (Target::FilterState(name), Some(value)) => {
                    property::keep(name, value);
                }
                (_, None) => {}
            }
        }
        if responds {
            self.responses.insert(context, (Rc::clone(config), Rc::clone(enriched)));
        }
    }
}
