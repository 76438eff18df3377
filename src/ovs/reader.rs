//! The reader: a text in, [`Readings`] out. It never fails: what it does not know it passes over,
//! as prompts, other commands' output, and lines of releases that nobody has seen.
//!
//! Knows by which line a bond or a port begins. Indentation and blank lines do not count: they get
//! lost in pastes. Must not know what the lines inside say.

use super::line::{lines, split};
use super::{Readings, bond, lacp, name};

/// Reads what `ovs-appctl bond/show` and `lacp/show` print, several in one text as well. Both lists
/// are empty when it holds neither.
#[must_use]
pub fn read(text: &str) -> Readings {
    let mut reader = Reader::default();
    for line in lines(text) {
        reader.take(&line);
    }
    reader.begin(Open::Nothing);
    reader.found
}

/// What the lines belong to.
#[derive(Default)]
enum Open {
    #[default]
    Nothing,
    /// A name over what may be a bond or an LACP port.
    Title(String),
    Bond(bond::Draft),
    Lacp(lacp::Draft),
}

#[derive(Default)]
struct Reader {
    open: Open,
    found: Readings,
}

impl Reader {
    fn take(&mut self, line: &str) {
        if let Some(name) = title(line) {
            self.begin(Open::Title(name));
        } else if let Some(name) = old_title(line) {
            self.begin(Open::Lacp(lacp::Draft::new(Some(name))));
        } else if let Some(fact) = bond::fact(line) {
            self.bond(|draft| draft.fits(&fact)).fact(fact);
        } else if let Some((name, enabled)) = bond::slave(line) {
            // A line that is cut says too little to be a bond's first.
            if enabled.is_some() || matches!(self.open, Open::Bond(_)) {
                self.bond(|draft| draft.lacks(&name)).slave(name, enabled);
            }
        } else if let Some(status) = lacp::status(line) {
            self.lacp(lacp::Draft::lacks_status).status(status);
        } else if let Some(heard) = lacp::slave(line, !matches!(self.open, Open::Lacp(_))) {
            self.lacp(|draft| draft.lacks(&heard)).slave(heard);
        } else {
            match &mut self.open {
                Open::Bond(draft) => draft.detail(line),
                Open::Lacp(draft) => draft.line(line),
                Open::Title(_) if lacp::is_head(line) => self.lacp(|_| true).line(line),
                Open::Nothing | Open::Title(_) => {}
            }
        }
    }

    /// The bond that a line belongs to: the open one if the line fits it, else a new one.
    fn bond(&mut self, fits: impl Fn(&bond::Draft) -> bool) -> &mut bond::Draft {
        if !matches!(&self.open, Open::Bond(draft) if fits(draft)) {
            let name = self.named();
            self.begin(Open::Bond(bond::Draft::new(name)));
        }
        match &mut self.open {
            Open::Bond(draft) => draft,
            _ => unreachable!("it was begun above"),
        }
    }

    /// The LACP port that a line belongs to, in the same way.
    fn lacp(&mut self, fits: impl Fn(&lacp::Draft) -> bool) -> &mut lacp::Draft {
        if !matches!(&self.open, Open::Lacp(draft) if fits(draft)) {
            let name = self.named();
            self.begin(Open::Lacp(lacp::Draft::new(name)));
        }
        match &mut self.open {
            Open::Lacp(draft) => draft,
            _ => unreachable!("it was begun above"),
        }
    }

    fn named(&self) -> Option<String> {
        match &self.open {
            Open::Title(name) => Some(name.clone()),
            _ => None,
        }
    }

    /// Ends what is open and begins something else.
    fn begin(&mut self, next: Open) {
        match std::mem::replace(&mut self.open, next) {
            Open::Bond(draft) => self.found.bonds.extend(draft.finish()),
            Open::Lacp(draft) => self.found.lacp.extend(draft.finish()),
            Open::Nothing | Open::Title(_) => {}
        }
    }
}

/// `---- bond0 ----`
fn title(line: &str) -> Option<String> {
    name(line.strip_prefix("---- ")?.strip_suffix(" ----")?)
}

/// How `lacp/show` of 1.1 and 1.2 begins (tests/ground/ovs.md, C2).
fn old_title(line: &str) -> Option<String> {
    let (label, value) = split(line)?;
    name(value).filter(|_| label == "lacp" && !bond::is_setting(value))
}
