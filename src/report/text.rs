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

/// How lines that are too long for the screen are broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// Not at all: a diff, a drawing, what is renewed in place.
    Whole,
    /// Below this column, in which the last cell begins.
    Hang(usize),
}

/// A text and its marks.
#[derive(Clone, Debug, Default)]
pub struct Text {
    text: String,
    marks: Vec<(Range<usize>, Mark)>,
    layouts: Vec<(Range<usize>, Layout)>,
}

impl Text {
    /// One marked word.
    #[must_use]
    pub fn marked(mark: Mark, word: &str) -> Self {
        Self { text: word.into(), marks: vec![(0..word.len(), mark)], layouts: Vec::new() }
    }

    /// Lines that are never broken.
    #[must_use]
    pub(super) fn whole(text: impl Into<Self>) -> Self {
        text.into().laid_out(Layout::Whole)
    }

    /// The line, broken below a column.
    #[must_use]
    pub(super) fn hanging(self, column: usize) -> Self {
        self.laid_out(Layout::Hang(column))
    }

    fn laid_out(mut self, layout: Layout) -> Self {
        self.layouts = vec![(0..self.text.len(), layout)];
        self
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
        let moved = |(r, layout): (Range<usize>, Layout)| (r.start + at..r.end + at, layout);
        self.layouts.extend(more.layouts.into_iter().map(moved));
        self.text.push_str(&more.text);
    }

    /// How the line that begins here is broken, where that was said.
    pub(super) fn layout(&self, at: usize) -> Option<Layout> {
        let found = self.layouts.iter().find(|(range, _)| range.contains(&at));
        found.map(|(_, layout)| *layout)
    }

    /// The text with parts of it replaced, which come one after the other.
    pub(super) fn edited(&self, edits: &[(usize, usize, String)]) -> Self {
        if edits.is_empty() {
            return self.clone();
        }
        let (mut text, mut at) = (String::new(), 0);
        for (start, end, new) in edits {
            text.push_str(&self.text[at..*start]);
            text.push_str(new);
            at = *end;
        }
        text.push_str(&self.text[at..]);
        let moved = |place: usize| {
            let before = edits.iter().take_while(|(_, end, _)| *end <= place);
            before.fold(place, |sum, (start, end, new)| sum + new.len() - (end - start))
        };
        let marks = self.marks.iter().map(|(r, mark)| (moved(r.start)..moved(r.end), *mark));
        Self { text, marks: marks.collect(), layouts: Vec::new() }
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
        Self { text, ..Self::default() }
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
