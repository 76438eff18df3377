//! The one marked block of a bond in a modprobe file: put in, read, and taken out again so that
//! every other byte stays.

use anyhow::{Result, bail, ensure};

/// Puts `lines` between the markers of `bond`: in place where they are, else at the end.
///
/// A file without a final newline gets one, and one that ends in a continued line gets an empty
/// line, which is then what the backslash swallows instead of our marker. The begin marker holds
/// how many newlines that took, so that [`remove_block`] gives back the very bytes.
///
/// # Errors
/// When the block that is there has no end, no begin or a double, or when one of `lines` would
/// not stay one line between the markers.
pub fn merge_block(bytes: &[u8], bond: &str, lines: &[String]) -> Result<Vec<u8>> {
    let end = end(bond);
    for line in lines {
        ensure!(
            !line.contains(['\n', '\r'])
                && !line.ends_with('\\')
                && read_begin(line.as_bytes(), bond).is_none()
                && line.trim_ascii_end() != end,
            "`{}` is not a valid line for a block in a modprobe file",
            line.escape_debug()
        );
    }
    let (head, tail, had) = match find(bytes, bond)? {
        Some(block) => (&bytes[..block.start], &bytes[block.end..], block.newlines),
        None => (bytes, &[][..], 0),
    };
    let missing = newlines_missing(head);
    let mut merged = head.to_vec();
    merged.resize(head.len() + missing, b'\n');
    merged.extend(begin(bond).bytes());
    if had + missing > 0 {
        merged.extend(format!("{NOTE}{})", had + missing).bytes());
    }
    for line in lines.iter().chain([&end]) {
        merged.push(b'\n');
        merged.extend(line.bytes());
    }
    merged.push(b'\n');
    merged.extend(tail);
    Ok(merged)
}

/// The file without the block of `bond`; `None` when it has none.
///
/// # Errors
/// When the block has no end, no begin or a double.
pub fn remove_block(bytes: &[u8], bond: &str) -> Result<Option<Vec<u8>>> {
    let Some(block) = find(bytes, bond)? else { return Ok(None) };
    let (mut head, tail) = (&bytes[..block.start], &bytes[block.end..]);
    if tail.is_empty() {
        for _ in 0..block.newlines {
            head = head.strip_suffix(b"\n").unwrap_or(head);
        }
    }
    // Else somebody wrote behind the block, and our newline keeps his line from joining ours.
    Ok(Some([head, tail].concat()))
}

/// The lines between the markers of `bond`; `None` when there is no block.
///
/// # Errors
/// When the block has no end, no begin or a double.
pub fn block(bytes: &[u8], bond: &str) -> Result<Option<Vec<String>>> {
    let Some(block) = find(bytes, bond)? else { return Ok(None) };
    let text = String::from_utf8_lossy(&bytes[block.start..block.end]);
    let lines: Vec<String> =
        text.trim_end_matches('\n').split('\n').skip(1).map(str::to_string).collect();
    Ok(lines.split_last().map(|(_, between)| between.to_vec()))
}

/// Where a block is.
struct Block {
    /// Byte offset of the begin marker.
    start: usize,
    /// Byte offset behind the end marker and its newline.
    end: usize,
    /// Newlines before the begin marker that are ours.
    newlines: usize,
    /// The line of the begin marker.
    line: usize,
}

/// What follows the begin marker where newlines were added, up to their number.
const NOTE: &str = " (newlines added before this line: ";

fn begin(bond: &str) -> String {
    format!("# xenbond {bond}: begin")
}

fn end(bond: &str) -> String {
    format!("# xenbond {bond}: end")
}

/// The number of added newlines that a begin marker holds; `None` for any other line. Blanks at the
/// end do not matter: an editor may have put a carriage return there.
fn read_begin(line: &[u8], bond: &str) -> Option<usize> {
    let note = line.trim_ascii_end().strip_prefix(begin(bond).as_bytes())?;
    if note.is_empty() {
        return Some(0);
    }
    let number = std::str::from_utf8(note).ok()?.strip_prefix(NOTE)?.strip_suffix(')')?;
    number.parse::<u8>().ok().map(usize::from)
}

/// Newlines that must follow `head` so that the next line is read as one of its own.
fn newlines_missing(head: &[u8]) -> usize {
    let (text, open) = match head.strip_suffix(b"\n") {
        Some(text) => (text, 0),
        None => (head, usize::from(!head.is_empty())),
    };
    let backslashes = text.iter().rev().take_while(|b| **b == b'\\').count();
    // An even number of them escape each other, see `parse`.
    open + backslashes % 2
}

/// The one block of `bond`, if there is one.
fn find(bytes: &[u8], bond: &str) -> Result<Option<Block>> {
    let end = end(bond);
    let mut found: Option<Block> = None;
    let mut open: Option<Block> = None;
    let mut at = 0;
    for (index, text) in bytes.split_inclusive(|b| *b == b'\n').enumerate() {
        let (start, line) = (at, index + 1);
        at += text.len();
        if let Some(newlines) = read_begin(text, bond) {
            if let Some(first) = open.as_ref().or(found.as_ref()) {
                bail!(
                    "line {line}: a second block of `{bond}` begins; the first is on line {}",
                    first.line
                );
            }
            open = Some(Block { start, end: at, newlines, line });
        } else if text.trim_ascii_end() == end.as_bytes() {
            let Some(block) = open.take() else {
                bail!("line {line}: a block of `{bond}` ends that does not begin");
            };
            found = Some(Block { end: at, ..block });
        }
    }
    if let Some(block) = open {
        bail!("line {}: a block of `{bond}` begins that does not end", block.line);
    }
    Ok(found)
}
