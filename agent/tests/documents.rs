//! What the documents show is what there is.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "all of this is a test: clippy knows only the functions marked so"
)]

use meshloom_agent::fetch::{FetchOptions, Network, Registries};
use meshloom_agent::trust::Rules;

/// The first example in YAML of that section.
fn example(section: &str) -> String {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let text = readme.split(&format!("\n## {section}\n")).nth(1).unwrap_or_else(|| panic!("no {section}"));
    let text = text.split("\n## ").next().unwrap();
    text.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap().to_owned()
}

#[test]
fn the_registry_configuration_of_the_readme_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["registry.example.com".to_owned()]).unwrap();
    for (name, content) in [
        ("ca.pem", made.cert.pem()),
        ("client.pem", made.cert.pem()),
        ("client.key", made.signing_key.serialize_pem()),
    ] {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    let example = example("Registries");
    assert!(Registries::parse(&example).is_err(), "the files that it names are read");
    let here = example.replace("/etc/meshloom", folder.path().to_str().unwrap());
    let registries = Registries::parse(&here).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(Network::with_registries(FetchOptions::default(), registries).is_ok());
    // It shows every field that there is.
    let unknown = Registries::parse("registries: [{prefix: a.test, x: 1}]").unwrap_err().to_string();
    let fields = unknown.split("expected one of ").nth(1).unwrap();
    for field in fields.split(", ") {
        assert!(example.contains(&format!("{field}:")), "{field} is not shown");
    }
}

#[test]
fn the_rules_on_signatures_of_the_readme_are_some() {
    let folder = tempfile::tempdir().unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    std::fs::write(folder.path().join("team.pub"), key.public_key_pem()).unwrap();
    let rules = Rules::from_yaml(&example("Signed images"), folder.path());
    let rules = rules.unwrap_or_else(|problems| panic!("{problems}"));
    assert!(rules.rule("registry.example.com/team/gate").is_some());
    assert!(rules.rule("registry.example.com/other/gate").is_none());
}
