//! Text for people, in which some words are marked: what a mark looks like is the console's matter,
//! and without colour the same words are left.

use std::fmt;
use std::ops::{Deref, Range};

/// What a marked word says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// As it should be, or new.
    Good,
    /// Wrong, or old.
    Bad,
    /// To be thought about.
    Warning,
    /// To know.
    Note,
    /// A heading, or what to type.
    Strong,
}

/// A text and its marks.
#[derive(Clone, Debug, Default)]
pub struct Text {
    text: String,
    marks: Vec<(Range<usize>, Mark)>,
}

impl Text {
    /// One marked word.
    #[must_use]
    pub fn marked(mark: Mark, word: &str) -> Self {
        Self { text: word.to_string(), marks: vec![(0..word.len(), mark)] }
    }

    /// A line that begins with a marked word.
    #[must_use]
    pub fn line(mark: Mark, word: &str, rest: &str) -> Self {
        Self::marked(mark, word).and(rest).and("\n")
    }

    /// The text with more after it.
    #[must_use]
    pub fn and(mut self, more: impl Into<Self>) -> Self {
        self.push(more);
        self
    }

    /// Adds to its end.
    pub fn push(&mut self, more: impl Into<Self>) {
        let (more, at) = (more.into(), self.text.len());
        self.marks.extend(more.marks.into_iter().map(|(r, mark)| (r.start + at..r.end + at, mark)));
        self.text.push_str(&more.text);
    }

    /// The text in pieces, each with its mark.
    pub(super) fn pieces(&self) -> impl Iterator<Item = (Option<Mark>, &str)> {
        let mut at = 0;
        let marked = self.marks.iter().flat_map(move |(range, mark)| {
            let plain = &self.text[at..range.start];
            at = range.end;
            [(None, plain), (Some(*mark), &self.text[range.clone()])]
        });
        let end = self.marks.last().map_or(0, |(range, _)| range.end);
        marked.chain([(None, &self.text[end..])])
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.text == *other
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self { text, marks: Vec::new() }
    }
}

impl From<&String> for Text {
    fn from(text: &String) -> Self {
        text.clone().into()
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        text.to_string().into()
    }
}

impl From<&Text> for Text {
    fn from(text: &Text) -> Self {
        text.clone()
    }
}

impl<T: Into<Text>> FromIterator<T> for Text {
    fn from_iter<I: IntoIterator<Item = T>>(parts: I) -> Self {
        parts.into_iter().fold(Self::default(), |all, part| all.and(part))
    }
}
