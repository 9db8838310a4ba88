#!/usr/bin/env python3
"""What Presidio's pattern recognizers reach on the corpus of tests/quality: presidio.py CORPUS.jsonl, as JSON.

    $(scripts/tool.sh presidio) filters/redaction/benches/presidio.py /tmp/pii.jsonl

The recognizers are asked by themselves, without a language model. A finding counts as right if it is exactly the token.
"""
import json
import logging
import sys
from collections import Counter

# It would fetch a newer list of public suffixes than it has; without, it says so and goes on.
logging.getLogger("tldextract").setLevel(logging.CRITICAL)

from presidio_analyzer.predefined_recognizers import (
    CreditCardRecognizer, EmailRecognizer, IbanRecognizer, IpRecognizer, PhoneRecognizer, UsSsnRecognizer)

RECOGNIZERS = {
    "credit_card": (CreditCardRecognizer(), ["CREDIT_CARD"]),
    "us_ssn": (UsSsnRecognizer(), ["US_SSN"]),
    "email": (EmailRecognizer(), ["EMAIL_ADDRESS"]),
    "iban": (IbanRecognizer(), ["IBAN_CODE"]),
    "ip": (IpRecognizer(), ["IP_ADDRESS"]),
    "phone_e164": (PhoneRecognizer(), ["PHONE_NUMBER"]),
}
# One recognizer has both versions.
OF = {"ipv4": "ip", "ipv6": "ip"}

right, wrong, missed = Counter(), Counter(), Counter()
with open(sys.argv[1], encoding="utf-8") as lines:
    for line in lines:
        sample = json.loads(line)
        kind = OF.get(sample["kind"], sample["kind"])
        for name, (recognizer, entities) in RECOGNIZERS.items():
            found = {(result.start, result.end) for result in recognizer.analyze(sample["text"], entities, None) or []}
            if name == kind:
                exact = (sample["start"], sample["end"]) in found
                right[name] += exact
                missed[name] += not exact
                wrong[name] += bool(found) and not exact
            else:
                wrong[name] += bool(found)
print(json.dumps({
    name: {
        "precision": right[name] / max(1, right[name] + wrong[name]),
        "recall": right[name] / max(1, right[name] + missed[name]),
    }
    for name in RECOGNIZERS
}))
