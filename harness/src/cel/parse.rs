//! From text to nodes, by the grammar of the language's specification.

use super::node::{Each, Node, Operator};
use super::token::{Token, tokens};
use crate::property::Value;

/// How deep an expression may be nested: a host's stack is not a guest's to use up.
const DEPTH: usize = 100;
/// The same for what it is made of, where operators in a row nest as well.
const HEIGHT: usize = 200;
/// How many tokens it may have.
const LENGTH: usize = 100_000;

/// Words that are no names.
const RESERVED: [&str; 21] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "namespace",
    "null",
    "package",
    "return",
    "true",
    "var",
    "void",
    "while",
];

/// `None` if the text is no expression.
pub(super) fn parse(text: &str) -> Option<Node> {
    let tokens = tokens(text)?;
    if tokens.len() > LENGTH {
        return None;
    }
    let mut parser = Parser { tokens: &tokens, depth: 0 };
    let node = parser.expression()?;
    (parser.tokens.is_empty() && node.is_within(HEIGHT)).then_some(node)
}

/// What makes a node of two.
type Make = fn(Box<Node>, Box<Node>) -> Node;

struct Parser<'a> {
    tokens: &'a [Token],
    depth: usize,
}

impl Parser<'_> {
    fn sign(&mut self, sign: &str) -> Option<()> {
        match self.tokens.split_first() {
            Some((Token::Sign(found), rest)) if *found == sign => {
                self.tokens = rest;
                Some(())
            }
            _ => None,
        }
    }

    fn name(&mut self) -> Option<String> {
        match self.tokens.split_first() {
            Some((Token::Name(name), rest)) => {
                self.tokens = rest;
                Some(name.clone())
            }
            _ => None,
        }
    }

    /// One level deeper.
    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        if self.depth == DEPTH {
            return None;
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    fn expression(&mut self) -> Option<Node> {
        self.nested(|parser| {
            let condition = parser.or()?;
            if parser.sign("?").is_none() {
                return Some(condition);
            }
            let yes = parser.nested(Self::or)?;
            parser.sign(":")?;
            let no = parser.expression()?;
            Some(Node::If(condition.into(), yes.into(), no.into()))
        })
    }

    /// Operators of one rank, from the left. Their number is limited as their nesting is: each is a node deeper.
    fn ranked(
        &mut self,
        next: fn(&mut Self) -> Option<Node>,
        operator: impl Fn(&mut Self) -> Option<Make>,
    ) -> Option<Node> {
        let mut left = next(self)?;
        let before = self.depth;
        while let Some(make) = operator(self) {
            self.depth += 1;
            if self.depth > DEPTH {
                return None;
            }
            let right = next(self)?;
            left = make(left.into(), right.into());
        }
        self.depth = before;
        Some(left)
    }

    fn or(&mut self) -> Option<Node> {
        self.ranked(Self::and, |parser| parser.sign("||").map(|()| Node::Or as _))
    }

    fn and(&mut self) -> Option<Node> {
        self.ranked(Self::relation, |parser| parser.sign("&&").map(|()| Node::And as _))
    }

    fn relation(&mut self) -> Option<Node> {
        self.ranked(Self::sum, |parser| {
            if let Some((Token::Name(name), rest)) = parser.tokens.split_first()
                && name == "in"
            {
                parser.tokens = rest;
                return Some(|left, right| Node::Binary(Operator::In, left, right));
            }
            parser.operator(&[
                ("==", |left, right| Node::Binary(Operator::Equal, left, right)),
                ("!=", |left, right| Node::Binary(Operator::Unequal, left, right)),
                ("<=", |left, right| Node::Binary(Operator::LessOrEqual, left, right)),
                (">=", |left, right| Node::Binary(Operator::GreaterOrEqual, left, right)),
                ("<", |left, right| Node::Binary(Operator::Less, left, right)),
                (">", |left, right| Node::Binary(Operator::Greater, left, right)),
            ])
        })
    }

    fn sum(&mut self) -> Option<Node> {
        self.ranked(Self::product, |parser| {
            parser.operator(&[
                ("+", |left, right| Node::Binary(Operator::Add, left, right)),
                ("-", |left, right| Node::Binary(Operator::Subtract, left, right)),
            ])
        })
    }

    fn product(&mut self) -> Option<Node> {
        self.ranked(Self::unary, |parser| {
            parser.operator(&[
                ("*", |left, right| Node::Binary(Operator::Multiply, left, right)),
                ("/", |left, right| Node::Binary(Operator::Divide, left, right)),
                ("%", |left, right| Node::Binary(Operator::Remainder, left, right)),
            ])
        })
    }

    fn operator(&mut self, all: &[(&str, Make)]) -> Option<Make> {
        all.iter().find_map(|(sign, make)| self.sign(sign).map(|()| *make))
    }

    fn unary(&mut self) -> Option<Node> {
        if self.sign("!").is_some() {
            return self.nested(Self::unary).map(|node| Node::Not(node.into()));
        }
        if self.sign("-").is_some() {
            // So that the least integer can be written.
            let literal = match self.tokens.first() {
                Some(Token::Int(number)) => Some(Value::Int(0_i64.checked_sub_unsigned(*number)?)),
                Some(Token::Double(number)) => Some(Value::Double(-number)),
                _ => None,
            };
            if let Some(literal) = literal {
                self.tokens = self.tokens.get(1..)?;
                return self.members(Node::Literal(literal));
            }
            return self.nested(Self::unary).map(|node| Node::Negate(node.into()));
        }
        let primary = self.primary()?;
        self.members(primary)
    }

    /// Fields, elements and methods after something.
    fn members(&mut self, mut node: Node) -> Option<Node> {
        let before = self.depth;
        loop {
            self.depth += 1;
            if self.depth > DEPTH {
                return None;
            }
            if self.sign(".").is_some() {
                let name = self.name()?;
                node = match self.sign("(") {
                    Some(()) => {
                        let arguments = self.list(")")?;
                        method(node, name, arguments)?
                    }
                    None => Node::Select(node.into(), name),
                };
            } else if self.sign("[").is_some() {
                let index = self.expression()?;
                self.sign("]")?;
                node = Node::Index(node.into(), index.into());
            } else {
                self.depth = before;
                return Some(node);
            }
        }
    }

    fn primary(&mut self) -> Option<Node> {
        if self.sign("(").is_some() {
            let inner = self.expression()?;
            self.sign(")")?;
            return Some(inner);
        }
        if self.sign("[").is_some() {
            return self.list("]").map(Node::List);
        }
        if self.sign("{").is_some() {
            return self.map();
        }
        let _ = self.sign(".");
        let (token, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        let literal = match token {
            Token::Int(number) => Value::Int(i64::try_from(*number).ok()?),
            Token::Uint(number) => Value::Uint(*number),
            Token::Double(number) => Value::Double(*number),
            Token::Text(text) => Value::Text(text.clone()),
            Token::Bytes(bytes) => Value::Bytes(bytes.clone()),
            Token::Sign(_) => return None,
            Token::Name(name) => match name.as_str() {
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                "null" => Value::Null,
                name if RESERVED.contains(&name) => return None,
                name => {
                    return match self.sign("(") {
                        Some(()) => {
                            let arguments = self.list(")")?;
                            function(name, arguments)
                        }
                        None => Some(Node::Name(name.to_owned())),
                    };
                }
            },
        };
        Some(Node::Literal(literal))
    }

    /// Expressions up to that sign; a comma may stand after the last of a list.
    fn list(&mut self, end: &str) -> Option<Vec<Node>> {
        let mut nodes = Vec::new();
        while self.sign(end).is_none() {
            nodes.push(self.expression()?);
            if self.sign(",").is_none() {
                self.sign(end)?;
                break;
            }
            if end == ")" && self.tokens.first() == Some(&Token::Sign(")")) {
                return None;
            }
        }
        Some(nodes)
    }

    fn map(&mut self) -> Option<Node> {
        let mut entries = Vec::new();
        while self.sign("}").is_none() {
            let key = self.expression()?;
            self.sign(":")?;
            entries.push((key, self.expression()?));
            if self.sign(",").is_none() {
                self.sign("}")?;
                break;
            }
        }
        Some(Node::Map(entries))
    }
}

fn function(name: &str, arguments: Vec<Node>) -> Option<Node> {
    if name == "has" && arguments.len() == 1 {
        return match arguments.into_iter().next()? {
            Node::Select(of, field) => Some(Node::Has(of, field)),
            _ => None,
        };
    }
    Some(Node::Call { target: None, name: name.to_owned(), arguments })
}

fn method(target: Node, name: String, mut arguments: Vec<Node>) -> Option<Node> {
    let what = match (name.as_str(), arguments.len()) {
        ("all", 2) => Each::All,
        ("exists", 2) => Each::Exists,
        ("exists_one", 2) => Each::ExistsOne,
        ("map", 2 | 3) => Each::Map,
        ("filter", 2) => Each::Filter,
        _ => return Some(Node::Call { target: Some(target.into()), name, arguments }),
    };
    let step = arguments.pop()?;
    let only = if arguments.len() == 2 { arguments.pop().map(Box::new) } else { None };
    let Some(Node::Name(name)) = arguments.pop() else { return None };
    Some(Node::Each { what, range: target.into(), name, only, step: step.into() })
}
