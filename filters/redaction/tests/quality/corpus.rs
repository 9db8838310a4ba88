//! Labelled texts with personal data and secrets, and texts with what only looks like some. Generated: the same seed
//! makes the same corpus.

/// One text.
pub(crate) struct Sample {
    /// What it has, if anything: the name of a detector.
    pub(crate) kind: Option<&'static str>,
    pub(crate) before: String,
    /// What is to be found; or what is not.
    pub(crate) token: String,
    pub(crate) after: String,
}

/// A generator of numbers (xorshift64*).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 11) % limit
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[usize::try_from(self.below(from.len() as u64)).unwrap()]
    }

    fn text(&mut self, alphabet: &str, length: u64) -> String {
        let letters: Vec<char> = alphabet.chars().collect();
        (0..length).map(|_| letters[usize::try_from(self.below(letters.len() as u64)).unwrap()]).collect()
    }
}

const DIGITS: &str = "0123456789";
const HEX: &str = "0123456789abcdef";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const WORD: &str = "abcdefghijklmnopqrstuvwxyz";
const BASE64URL: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The kinds that are measured.
pub(crate) const KINDS: [&str; 12] = [
    "credit_card",
    "us_ssn",
    "email",
    "ipv4",
    "ipv6",
    "iban",
    "phone_e164",
    "jwt",
    "aws_access_key",
    "private_key_pem",
    "bearer",
    "assignment",
];

/// The keys of assignments.
pub(crate) const KEYS: [&str; 3] = ["password", "secret", "api_key"];

/// `count` texts of each kind, and as many of each kind of what only looks like one.
pub(crate) fn corpus(seed: u64, count: usize) -> Vec<Sample> {
    let mut random = Random(seed);
    let mut samples = Vec::new();
    for _ in 0..count {
        for kind in KINDS {
            let token = token(&mut random, kind);
            samples.push(framed(&mut random, Some(kind), token));
        }
        for token in look_alikes(&mut random) {
            samples.push(framed(&mut random, None, token));
        }
    }
    samples
}

fn framed(random: &mut Random, kind: Option<&'static str>, token: String) -> Sample {
    match kind {
        Some("bearer") => return credentials(random, token),
        Some("assignment") => return assigned(random, token),
        _ => {}
    }
    let before = random.pick(&[
        "",
        "value: ",
        "the customer gave ",
        "{\"v\":\"",
        "(",
        "a,b,",
        "<td>",
        "is ",
        "note\n",
        "'",
        "caf\u{e9} ",
    ]);
    let after = random.pick(&["", " ", ", thanks", "\"}", ")", "</td>", "\nnext", "'", "; and more", "!"]);
    Sample { kind, before: before.to_owned(), token, after: after.to_owned() }
}

/// What is to be found stands after a word that stays.
fn credentials(random: &mut Random, token: String) -> Sample {
    let word = random.pick(&["Bearer ", "bearer ", "BEARER "]);
    let Sample { before, after, .. } = framed(random, None, String::new());
    Sample { kind: Some("bearer"), before: before + word, token, after }
}

/// What is to be found stands after a key, in the ways in which configurations, forms, logs and JSON have it.
fn assigned(random: &mut Random, token: String) -> Sample {
    let key = random.pick(&KEYS);
    let [before, between, after] = [
        ["", "=", " and more"],
        ["/login?user=ada&", "=", "&next=1"],
        ["export ", "=", "\nnext"],
        ["--", "=", ""],
        ["the ", " = ", " of it"],
        ["x, ", "='", "', y"],
        ["{\"user\":\"ada\",\"", "\":\"", "\"}"],
        ["{\n  \"", "\": \"", "\"\n}"],
        ["log: {\\\"", "\\\":\\\"", "\\\"}"],
        ["<p>", "=", "</p>"],
    ][usize::try_from(random.below(10)).unwrap()];
    let key = if random.below(4) == 0 { key.to_uppercase() } else { key.to_owned() };
    Sample {
        kind: Some("assignment"),
        before: format!("{before}{key}{between}"),
        token,
        after: after.to_owned(),
    }
}

fn token(random: &mut Random, kind: &str) -> String {
    match kind {
        "credit_card" => {
            let (prefix, length) = [
                ("4", 16),
                ("51", 16),
                ("55", 16),
                ("2221", 16),
                ("34", 15),
                ("37", 15),
                ("6011", 16),
                ("3530", 16),
                ("4", 19),
                ("36", 14),
            ][usize::try_from(random.below(10)).unwrap()];
            let body = format!("{prefix}{}", random.text(DIGITS, length - 1 - prefix.len() as u64));
            grouped(random, &with_luhn(&body))
        }
        "us_ssn" => {
            let area =
                [1 + random.below(665), 667 + random.below(233)][usize::try_from(random.below(2)).unwrap()];
            let separator = random.pick(&["-", "-", " "]);
            format!("{area:03}{separator}{:02}{separator}{:04}", 1 + random.below(99), 1 + random.below(9999))
        }
        "email" => {
            let length = 1 + random.below(10);
            let name = random.text(WORD, length);
            let more = random.pick(&["", ".smith", "_1", "+news", "-x", "99", ".o.b"]);
            let host = random.text(WORD, 3);
            format!(
                "{name}{more}@{host}{}",
                random.pick(&[".com", ".example.org", "-x.net", ".co.uk", "9.io", ".museum", ".xn--p1ai"])
            )
        }
        "ipv4" => (0..4).map(|_| random.below(256).to_string()).collect::<Vec<_>>().join("."),
        "ipv6" => {
            let group = |random: &mut Random| format!("{:x}", random.below(0x1_0000));
            let groups: Vec<String> = (0..8).map(|_| group(random)).collect();
            match random.below(3) {
                0 => groups.join(":"),
                1 => format!("2001:db8::{}:{}", groups[0], groups[1]),
                _ => format!("fe80::{}:1", groups[0]),
            }
        }
        "iban" => {
            let (country, body) = match random.below(5) {
                0 => ("DE", random.text(DIGITS, 18)),
                1 => ("GB", format!("{}{}", random.text(UPPER, 4), random.text(DIGITS, 14))),
                2 => ("FR", random.text(DIGITS, 23)),
                3 => ("NL", format!("{}{}", random.text(UPPER, 4), random.text(DIGITS, 10))),
                _ => ("ES", random.text(DIGITS, 20)),
            };
            let number = with_mod97(country, &body);
            if random.below(2) == 0 { number } else { fours(&number, " ") }
        }
        "phone_e164" => match random.below(3) {
            0 => format!("+1{}{}", 2 + random.below(8), random.text(DIGITS, 9)),
            1 => format!("+44 20 {} {}", random.text(DIGITS, 4), random.text(DIGITS, 4)),
            _ => format!("+49-30-{}", random.text(DIGITS, 7)),
        },
        "jwt" => {
            let (header, claims) = (random.text(BASE64URL, 33), random.text(BASE64URL, 60));
            format!("eyJ{header}.eyJ{claims}.{}", random.text(BASE64URL, 43))
        }
        "bearer" => {
            let length = 20 + random.below(30);
            random.text(BASE64URL, length)
        }
        "assignment" => {
            let length = 6 + random.below(14);
            random
                .text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%*+-./:;@^_~", length)
        }
        "aws_access_key" => {
            let prefix = random.pick(&["AKIA", "ASIA"]);
            format!("{prefix}{}", random.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16))
        }
        _ => {
            let label =
                random.pick(&["RSA PRIVATE KEY", "PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY"]);
            format!(
                "-----BEGIN {label}-----\n{}\n{}\n-----END {label}-----",
                random.text(BASE64URL, 64),
                random.text(BASE64URL, 20)
            )
        }
    }
}

/// What looks like one of them and is none.
fn look_alikes(random: &mut Random) -> Vec<String> {
    let hex = |random: &mut Random, length| random.text(HEX, length);
    let mut texts = Vec::new();
    // Numbers of orders, shipments and accounts: a digit that makes Luhn's check fail, and lengths that no card has.
    let wrong = with_luhn(&format!("4{}", random.text(DIGITS, 14)));
    let last = wrong.chars().last().unwrap().to_digit(10).unwrap();
    texts.push(format!("{}{}", &wrong[..15], (last + 1 + u32::try_from(random.below(8)).unwrap()) % 10));
    texts.push(format!("9{}", random.text(DIGITS, 15)));
    let length = 6 + random.below(6);
    texts.push(random.text(DIGITS, length));
    texts.push(format!("ORD-{}-{}", random.text(DIGITS, 4), random.text(DIGITS, 6)));
    texts.push(format!("1Z{}{}", random.text(UPPER, 3), random.text(DIGITS, 13)));
    // Times.
    texts.push(format!(
        "20{:02}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        random.below(40),
        1 + random.below(12),
        1 + random.below(28),
        random.below(24),
        random.below(60),
        random.below(60)
    ));
    texts.push(format!("17{}", random.text(DIGITS, 11)));
    texts.push(format!(
        "{:02}:{:02}:{:02}.{}",
        random.below(24),
        random.below(60),
        random.below(60),
        random.text(DIGITS, 3)
    ));
    // Identifiers.
    texts.push(format!(
        "{}-{}-4{}-a{}-{}",
        hex(random, 8),
        hex(random, 4),
        hex(random, 3),
        hex(random, 3),
        hex(random, 12)
    ));
    texts.push(hex(random, 40));
    texts.push(hex(random, 64));
    texts.push((0..6).map(|_| hex(random, 2)).collect::<Vec<_>>().join(":"));
    // Versions.
    texts.push(format!(
        "v{}.{}.{}.{}",
        random.below(20),
        random.below(20),
        random.below(200),
        random.below(200)
    ));
    texts.push(format!("{}.{}.{}", random.below(20), random.below(20), random.below(200)));
    texts.push(format!(
        "Chrome/{}.0.{}.{}",
        100 + random.below(30),
        1000 + random.below(8000),
        random.below(200)
    ));
    texts.push(format!(
        "{}.{}.{}.{}",
        random.below(256),
        256 + random.below(700),
        random.below(256),
        random.below(256)
    ));
    // What is like a telephone number, a Social Security number, an address.
    texts.push(format!("{}-{}-{}", random.text(DIGITS, 3), random.text(DIGITS, 3), random.text(DIGITS, 4)));
    texts.push(format!("{}{}{}", 1 + random.below(9), random.pick(&["+", " + "]), random.text(DIGITS, 6)));
    texts.push(format!("9{}-{}-{}", random.text(DIGITS, 2), random.text(DIGITS, 2), random.text(DIGITS, 4)));
    texts.push(format!("{}@{}", random.text(WORD, 5), random.text(WORD, 6)));
    texts.push(format!(
        "{}@{}.{}.{}",
        random.text(WORD, 5),
        random.below(9),
        random.below(9),
        random.below(9)
    ));
    texts.push(format!("icon@{}x.png", 1 + random.below(3)));
    texts.push(format!(
        "{}::{}",
        random.pick(&["std", "dead", "face", "a", "self"]),
        random.pick(&["beef", "vec", "b", "fmt"])
    ));
    // Words that are said of credentials, and keys that are none or have no value.
    texts.push(
        random
            .pick(&[
                "Bearer token",
                "the bearer of news",
                "bearer authentication is used",
                "cupbearer 12345678",
            ])
            .to_owned(),
    );
    texts.push(
        random
            .pick(&[
                "if password == null",
                "passwords=3",
                "secretary=Ann",
                "the password: see below",
                "no_api_keys=1",
                "?secret=&b=2",
            ])
            .to_owned(),
    );
    texts.push(format!("{}={}", random.text(WORD, 6), random.text(DIGITS, 6)));
    // A wrong check, and tokens that are cut short.
    let iban = with_mod97("DE", &random.text(DIGITS, 18));
    let check = (iban[2..4].parse::<u64>().unwrap() + 1 + random.below(90)) % 97;
    texts.push(format!("DE{check:02}{}", &iban[4..]));
    texts.push(format!("eyJ{}", random.text(BASE64URL, 30)));
    texts.push(format!("AKIA{}", random.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 10)));
    texts.push(format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----",
        random.text(BASE64URL, 40)
    ));
    texts
}

fn with_luhn(body: &str) -> String {
    let sum: u32 = body
        .chars()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let digit = digit.to_digit(10).unwrap();
            if place % 2 == 0 { (digit * 2) % 10 + digit / 5 } else { digit }
        })
        .sum();
    format!("{body}{}", (10 - sum % 10) % 10)
}

fn with_mod97(country: &str, body: &str) -> String {
    let value = format!("{body}{country}00").chars().fold(0_u64, |value, letter| {
        let digit = u64::from(letter.to_digit(36).unwrap());
        (value * if digit > 9 { 100 } else { 10 } + digit) % 97
    });
    format!("{country}{:02}{body}", 98 - value)
}

fn grouped(random: &mut Random, number: &str) -> String {
    let separator = random.pick(&["", "", " ", "-"]);
    match number.len() {
        15 => [&number[..4], &number[4..10], &number[10..]].join(separator),
        14 => [&number[..4], &number[4..10], &number[10..]].join(separator),
        _ => fours(number, separator),
    }
}

fn fours(text: &str, separator: &str) -> String {
    let groups: Vec<&str> =
        text.as_bytes().chunks(4).map(|group| std::str::from_utf8(group).unwrap()).collect();
    groups.join(separator)
}
