//! A page of the manual: its parts, as `man` takes them and as a terminal shows them.

use super::text::{Mark, Text};

/// The width of a page on a terminal.
const WIDTH: usize = 80;

/// How far an item's text stands in.
const INDENT: usize = 8;

/// A part of a page.
#[derive(Clone, Debug)]
pub enum Part {
    /// The title of what follows.
    Heading(String),
    /// The title of a part of it.
    Group(String),
    /// Words in a paragraph.
    Words(String),
    /// What is explained, and its explanation.
    Item(String, String),
    /// Lines as they are.
    Lines(Vec<String>),
}

/// A page of the manual.
#[derive(Clone, Debug)]
pub struct Page {
    /// Its name.
    pub name: String,
    /// The section of the manual that it is in.
    pub section: u8,
    /// All of it.
    pub parts: Vec<Part>,
}

impl Page {
    /// An empty one, with its name and what it is about.
    #[must_use]
    pub fn new(name: &str, section: u8, about: &str) -> Self {
        let mut page = Self { name: name.to_string(), section, parts: Vec::new() };
        page.heading("Name").words(&format!("{name} - {about}"));
        page
    }

    /// Adds a heading.
    pub fn heading(&mut self, words: &str) -> &mut Self {
        self.with(Part::Heading(words.to_uppercase()))
    }

    /// Adds a paragraph.
    pub fn words(&mut self, words: &str) -> &mut Self {
        self.with(Part::Words(words.to_string()))
    }

    /// Adds something explained.
    pub fn item(&mut self, head: &str, body: &str) -> &mut Self {
        self.with(Part::Item(head.to_string(), body.to_string()))
    }

    /// Adds lines as they are.
    pub fn lines<'a>(&mut self, lines: impl IntoIterator<Item = &'a str>) -> &mut Self {
        self.with(Part::Lines(lines.into_iter().map(String::from).collect()))
    }

    /// Adds a part.
    pub fn with(&mut self, part: Part) -> &mut Self {
        self.parts.push(part);
        self
    }

    /// As `man` takes it.
    #[must_use]
    pub fn roff(&self) -> String {
        let mut text = format!(
            ".TH {} {} \"\" \"xenbond {}\" xenbond\n",
            self.name.to_uppercase(),
            self.section,
            env!("CARGO_PKG_VERSION")
        );
        let mut headed = false;
        for part in &self.parts {
            let gap = if headed { "" } else { ".PP\n" };
            headed = matches!(part, Part::Heading(_) | Part::Group(_));
            text.push_str(&match part {
                Part::Heading(words) => format!(".SH {}\n", escaped(words)),
                Part::Group(words) => format!(".SS {}\n", escaped(words)),
                Part::Words(words) => format!("{gap}{}\n", escaped(words)),
                Part::Item(head, body) => {
                    format!(".TP\n\\fB{}\\fR\n{}\n", escaped(head), escaped(body))
                }
                Part::Lines(lines) => {
                    let lines: String =
                        lines.iter().map(|line| format!("{}\n", escaped(line))).collect();
                    format!("{gap}.nf\n{lines}.fi\n")
                }
            });
        }
        text
    }

    /// As a terminal shows it.
    #[must_use]
    pub fn shown(&self) -> Text {
        let mut text = Text::default();
        for part in &self.parts {
            match part {
                Part::Heading(words) => {
                    text.push(if text.is_empty() { "" } else { "\n" });
                    text.push(Text::line(Mark::Strong, words, ""));
                }
                Part::Group(words) => {
                    text.push("\n  ");
                    text.push(Text::line(Mark::Strong, words, ""));
                }
                Part::Words(words) => text.push(wrapped(words, INDENT / 2)),
                Part::Item(head, body) => {
                    text.push(format!("{:1$}{head}\n", "", INDENT / 2));
                    text.push(wrapped(body, INDENT));
                }
                Part::Lines(lines) => {
                    let line = |line: &String| format!("{:1$}{line}\n", "", INDENT / 2);
                    text.push(lines.iter().map(line).collect::<String>());
                }
            }
        }
        text
    }
}

/// Words in lines that fit, each so far in.
fn wrapped(words: &str, indent: usize) -> String {
    let (mut text, mut line) = (String::new(), String::new());
    for word in words.split_whitespace() {
        if !line.is_empty() && indent + line.len() + 1 + word.len() >= WIDTH {
            text.push_str(&format!("{:indent$}{line}\n", ""));
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    format!("{text}{:indent$}{line}\n", "")
}

/// Text that roff takes word for word.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}
