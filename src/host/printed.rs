//! What a command printed, in the pieces that it came in.

use std::collections::VecDeque;
use std::io::{self, BufRead, Read};

/// What a command printed. A large pool's list is longer than all else in memory: whoever reads
/// it line by line lets go of each piece behind him.
#[derive(Clone, Debug, Default)]
pub struct Printed {
    /// None of them empty.
    pieces: VecDeque<Vec<u8>>,
    /// How much of the first was read already.
    read: usize,
}

impl Printed {
    pub(super) fn push(&mut self, piece: Vec<u8>) {
        if !piece.is_empty() {
            self.pieces.push_back(piece);
        }
    }

    /// How many bytes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pieces.iter().map(Vec::len).sum::<usize>() - self.read
    }

    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// All of it at once.
    #[must_use]
    pub fn whole(&self) -> Vec<u8> {
        let mut bytes: Vec<u8> = self.pieces.iter().flatten().copied().collect();
        bytes.drain(..self.read);
        bytes
    }
}

impl From<Vec<u8>> for Printed {
    fn from(bytes: Vec<u8>) -> Self {
        let mut printed = Self::default();
        printed.push(bytes);
        printed
    }
}

impl BufRead for Printed {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        Ok(self.pieces.front().map_or(&[], |piece| &piece[self.read..]))
    }

    fn consume(&mut self, amount: usize) {
        self.read += amount;
        if self.pieces.front().is_some_and(|piece| self.read >= piece.len()) {
            self.pieces.pop_front();
            self.read = 0;
        }
    }
}

impl Read for Printed {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(to)?;
        self.consume(read);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_across_pieces() {
        let mut printed = Printed::default();
        for piece in ["one\ntw", "", "o", "\n", "three"] {
            printed.push(piece.into());
        }
        assert_eq!((printed.len(), printed.whole()), (13, b"one\ntwo\nthree".to_vec()));
        let mut line = String::new();
        printed.read_line(&mut line).unwrap();
        assert_eq!((line.as_str(), printed.whole()), ("one\n", b"two\nthree".to_vec()));
        let rest: Vec<String> = printed.by_ref().lines().map(Result::unwrap).collect();
        assert_eq!((rest, printed.is_empty()), (vec!["two".into(), "three".into()], true));
    }
}
