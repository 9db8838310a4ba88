//! The README's table of fields, made of the schema.

use std::collections::VecDeque;

use filter_kit::config::Json;

const HEADING: &str = "## Configuration\n";

/// One line of the table.
struct Row {
    field: String,
    kind: String,
    default: String,
    meaning: String,
}

/// The table of the schema's fields, line by line.
pub(crate) fn of(schema: &Json<'_>) -> String {
    let mut rows = Rows { rows: Vec::new(), waiting: VecDeque::new(), seen: Vec::new() };
    rows.object("", schema);
    while let Some(name) = rows.waiting.pop_front() {
        if let Some(definition) = schema.get("$defs").and_then(|definitions| definitions.get(&name)) {
            rows.object(&format!("{name}."), definition);
        }
    }
    let head = Row {
        field: "field".into(),
        kind: "type".into(),
        default: "default".into(),
        meaning: "meaning".into(),
    };
    let all: Vec<&Row> = std::iter::once(&head).chain(&rows.rows).collect();
    let width =
        |column: fn(&Row) -> &String| all.iter().map(|row| column(row).chars().count()).max().unwrap_or(0);
    let (first, second, third) = (width(|row| &row.field), width(|row| &row.kind), width(|row| &row.default));
    let mut lines: Vec<String> = all
        .iter()
        .map(|row| {
            let Row { field, kind, default, meaning } = row;
            format!("| {field:first$} | {kind:second$} | {default:third$} | {meaning} |\n")
        })
        .collect();
    let [first, second, third] = [first, second, third].map(|width| "-".repeat(width + 2));
    lines.insert(1, format!("|{first}|{second}|{third}|---------|\n"));
    lines.concat()
}

/// The README with `table` in place of the first one under its heading.
pub(crate) fn replaced(readme: &str, table: &str) -> Option<String> {
    let (before, section) = readme.split_once(HEADING)?;
    let start = if section.starts_with('|') { 0 } else { section.find("\n|")? + 1 };
    let (lead, rest) = section.split_at_checked(start)?;
    if lead.contains("\n## ") {
        return None;
    }
    let end = rest.find("\n\n").map_or(rest.len(), |end| end + 1);
    Some(format!("{before}{HEADING}{lead}{table}{}", rest.get(end..)?))
}

struct Rows {
    rows: Vec<Row>,
    /// Definitions that a row refers to and that have no rows yet.
    waiting: VecDeque<String>,
    seen: Vec<String>,
}

impl Rows {
    /// The rows of an object's fields, each with `path` before its name.
    fn object(&mut self, path: &str, schema: &Json<'_>) {
        if let Some(Json::List(variants)) = schema.get("oneOf") {
            self.variants(path, variants);
        } else if let Some(Json::Object(properties)) = schema.get("properties") {
            for (name, property) in properties {
                self.field(path, name, property, is_required(schema, name), &[]);
            }
        }
    }

    /// The rows of an object that comes in variants: a row for each word, then one for each field.
    fn variants(&mut self, path: &str, variants: &[Json<'_>]) {
        let mut fields: Vec<(&str, &Json<'_>, bool, Vec<&str>)> = Vec::new();
        for variant in variants {
            let word = variant.get("title").and_then(Json::as_str).unwrap_or_default();
            let Some(Json::Object(properties)) = variant.get("properties") else { continue };
            for (name, property) in properties {
                if property.get("const").is_some() {
                    let meaning = text(variant, "description");
                    self.push(format!("{path}{name}"), format!("`{word}`"), "required".into(), meaning);
                    continue;
                }
                let required = is_required(variant, name);
                match fields.iter_mut().find(|(other, schema, ..)| other == name && *schema == property) {
                    Some((.., words)) => words.push(word),
                    None => fields.push((name, property, required, vec![word])),
                }
            }
        }
        for (name, property, required, words) in fields {
            let words = if words.len() == variants.len() { Vec::new() } else { words };
            self.field(path, name, property, required, &words);
        }
    }

    fn field(&mut self, path: &str, name: &str, schema: &Json<'_>, required: bool, only: &[&str]) {
        let default = match schema.get("default") {
            _ if required => "required".into(),
            Some(default) => format!("`{}`", compact(default)),
            None => "none".into(),
        };
        let mut meaning = text(schema, "description");
        if !only.is_empty() {
            let words: Vec<String> = only.iter().map(|word| format!("`{word}`")).collect();
            meaning = format!("for {}: {meaning}", words.join(", "));
        }
        let kind = self.kind(schema);
        self.push(format!("{path}{name}"), kind, default, meaning);
        let (inner, path) = match schema.get("items") {
            Some(items) => (items, format!("{path}{name}[].")),
            None => (schema, format!("{path}{name}.")),
        };
        self.object(&path, inner);
    }

    fn push(&mut self, field: String, kind: String, default: String, meaning: String) {
        let cell = |text: String| text.replace('|', "\\|");
        let field = format!("`{field}`");
        self.rows.push(Row { field, kind: cell(kind), default: cell(default), meaning: cell(meaning) });
    }

    /// In a word or a few, what a value is.
    fn kind(&mut self, schema: &Json<'_>) -> String {
        if let Some(name) = schema.get("$ref").and_then(Json::as_str).and_then(|path| path.rsplit('/').next())
        {
            if !self.seen.iter().any(|other| other == name) {
                self.seen.push(name.to_owned());
                self.waiting.push_back(name.to_owned());
            }
            return format!("`{name}`, below");
        }
        if let Some(Json::List(words)) = schema.get("enum") {
            let words: Vec<String> =
                words.iter().map(|word| format!("`{}`", word.as_str().unwrap_or_default())).collect();
            return words.join(", ");
        }
        if let Some(Json::List(kinds)) = schema.get("anyOf")
            && schema.get("type").is_none()
        {
            return match (text(schema, "title").as_str(), kinds.first()) {
                ("", _) | (_, None) => {
                    kinds.iter().map(|kind| self.kind(kind)).collect::<Vec<_>>().join(" or ")
                }
                (title, Some(number)) => format!("{title}{}", range(number)),
            };
        }
        if let Some(constant) = schema.get("const") {
            return compact(constant);
        }
        match schema.get("type").and_then(Json::as_str) {
            Some("array") => {
                let items = schema.get("items").map(|items| self.kind(items)).unwrap_or_default();
                format!("list of {items}")
            }
            Some(kind @ ("integer" | "number")) => format!("{kind}{}", range(schema)),
            Some(kind) => kind.to_owned(),
            None => "any".to_owned(),
        }
    }
}

fn is_required(object: &Json<'_>, name: &str) -> bool {
    matches!(object.get("required"), Some(Json::List(names)) if names.iter().any(|other| other.as_str() == Some(name)))
}

fn range(schema: &Json<'_>) -> String {
    match (schema.get("minimum"), schema.get("maximum")) {
        (Some(least), Some(most)) => format!(", {} to {}", compact(least), compact(most)),
        _ => String::new(),
    }
}

fn text(schema: &Json<'_>, key: &str) -> String {
    schema.get(key).and_then(Json::as_str).unwrap_or_default().to_owned()
}

fn compact(json: &Json<'_>) -> String {
    serde_json::to_string(json).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use filter_kit::config::{Choice, Node, schema};

    use super::*;

    fn read(root: Node<'_>) -> Option<()> {
        root.object(|fields| {
            fields.version(1);
            fields.or("mode", "Whether a|b", "on", |node| node.one_of(&[("on", ()), ("off", ())]));
            fields.optional("wait", "How long", |node| node.milliseconds(1..=5000));
            fields.required("rules", "What to do", |node| {
                node.some_of(|node| {
                    node.object(|fields| fields.or("ops", "Steps", Json::EMPTY_LIST, |node| node.list_of(op)))
                })
            });
            None
        })
    }

    fn op(node: Node<'_>) -> Option<u64> {
        node.defined("op", "A step", |node| {
            node.tagged(
                "do",
                "What",
                &[
                    Choice::new("go", "Goes", |fields| {
                        fields.required("n", "How far", |node| node.integer(1..=9))
                    }),
                    Choice::new("stay", "Stays", |_| Some(0)),
                ],
            )
        })
    }

    #[test]
    fn every_field_has_a_row_and_what_is_shared_comes_last() {
        assert_eq!(
            of(&schema("t", "d", read)),
            "\
| field         | type                      | default  | meaning |
|---------------|---------------------------|----------|---------|
| `version`     | 1                         | required | The version of the configuration |
| `mode`        | `on`, `off`               | `\"on\"`   | Whether a\\|b |
| `wait`        | duration in ms, 1 to 5000 | none     | How long |
| `rules`       | list of object            | required | What to do |
| `rules[].ops` | list of `op`, below       | `[]`     | Steps |
| `op.do`       | `go`                      | required | Goes |
| `op.do`       | `stay`                    | required | Stays |
| `op.n`        | integer, 1 to 9           | required | for `go`: How far |
"
        );
    }

    #[test]
    fn only_the_first_table_under_the_heading_is_replaced() {
        let readme = "# x\n\n| a |\n\n## Configuration\n\nlead\n\n| old |\n|--|\n\n| kept |\n\n## Next\n";
        assert_eq!(
            replaced(readme, "| new |\n").unwrap(),
            "# x\n\n| a |\n\n## Configuration\n\nlead\n\n| new |\n\n| kept |\n\n## Next\n"
        );
        assert_eq!(replaced("## Configuration\n\n## Next\n\n| a |\n", "| new |\n"), None);
        assert_eq!(replaced("# x\n", "| new |\n"), None);
    }
}
