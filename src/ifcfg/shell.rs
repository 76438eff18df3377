//! The words of a text as bash splits it: quotes, escapes, expansions, comments. Knows the shell's
//! grammar as far as such files use it, and nothing of what the words mean.

/// Characters that end a word unless quoted (bash(1), "metacharacter").
const META: &str = " \t\n;&|<>()";

/// A word of a statement. With a `key` it is an assignment, and `text` is the value.
pub(super) struct Word {
    pub line: usize,
    pub key: Option<String>,
    pub append: bool,
    pub text: String,
    pub constant: bool,
}

/// The text not yet read.
pub(super) struct Reader<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { rest: text, line: 1 }
    }

    /// The line that the next statement starts on, while there is one.
    pub(super) fn more(&self) -> Option<usize> {
        (!self.rest.is_empty()).then_some(self.line)
    }

    /// The next character as it stands.
    fn raw(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        self.line += usize::from(c == '\n');
        Some(c)
    }

    /// The next character, unread. A backslash with a newline is nothing at all to bash,
    /// except in single quotes and comments.
    fn peek(&mut self) -> Option<char> {
        while let Some(rest) = self.rest.strip_prefix("\\\n") {
            self.rest = rest;
            self.line += 1;
        }
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        self.peek()?;
        self.raw()
    }

    /// The words up to the next newline or `;`. `None` when it is more than words, or when a
    /// quote is not closed; bash then runs nothing of it, nor of what follows.
    pub(super) fn statement(&mut self) -> Option<Vec<Word>> {
        let mut words = Vec::new();
        let mut plain = true;
        while let Some(c) = self.peek() {
            if c != '#' && !META.contains(c) {
                match self.word() {
                    Some(word) => words.push(word),
                    None => plain = false,
                }
                continue;
            }
            self.raw();
            match c {
                ' ' | '\t' => {}
                '#' => self.rest = self.rest.find('\n').map_or("", |at| &self.rest[at..]),
                '\n' => break,
                ';' => {
                    // With nothing before it a syntax error.
                    plain &= !words.is_empty();
                    break;
                }
                _ => plain = false,
            }
        }
        plain.then_some(words)
    }

    /// One word with its quotes removed. `None` when the file ends within quotes, brackets or
    /// after a backslash.
    fn word(&mut self) -> Option<Word> {
        let mut word =
            Word { key: None, append: false, line: self.line, text: String::new(), constant: true };
        // Nothing was quoted so far, so a `=` may still make this an assignment.
        let mut bare = true;
        while let Some(c) = self.peek().filter(|c| !META.contains(*c)) {
            self.raw();
            bare &= !"'\"\\$`".contains(c);
            match c {
                '=' if bare && word.key.is_none() => {
                    let name = word.text.strip_suffix('+').unwrap_or(&word.text);
                    bare = is_name(name);
                    if !bare {
                        word.text.push(c);
                        continue;
                    }
                    word.append = name.len() < word.text.len();
                    word.key = Some(name.to_string());
                    word.text.clear();
                    if self.peek() == Some('(') {
                        word.constant = false;
                        self.nested(')', &mut word.text)?;
                    }
                }
                '\'' => loop {
                    match self.raw()? {
                        '\'' => break,
                        c => word.text.push(c),
                    }
                },
                '"' => self.double_quoted(&mut word)?,
                '\\' => word.text.push(self.raw()?),
                '$' | '`' => self.expansion(c, &mut word)?,
                _ => {
                    // A tilde at these places stands for a directory.
                    word.constant &=
                        c != '~' || !(word.text.is_empty() || word.text.ends_with(':'));
                    word.text.push(c);
                }
            }
        }
        Some(word)
    }

    /// The rest of a part in double quotes.
    fn double_quoted(&mut self, word: &mut Word) -> Option<()> {
        loop {
            match self.next()? {
                '"' => return Some(()),
                '\\' => {
                    let c = self.raw()?;
                    if !"$`\"\\".contains(c) {
                        word.text.push('\\');
                    }
                    word.text.push(c);
                }
                c @ ('$' | '`') => self.expansion(c, word)?,
                c => word.text.push(c),
            }
        }
    }

    /// Keeps an expansion that began with `sign` literally. Of a bare `$NAME` only the `$` is
    /// read here, the name is text like any other.
    fn expansion(&mut self, sign: char, word: &mut Word) -> Option<()> {
        word.text.push(sign);
        match (sign, self.peek()) {
            ('`', _) => self.through('`', '`', &mut word.text)?,
            (_, Some('{')) => self.nested('}', &mut word.text)?,
            (_, Some('(')) => self.nested(')', &mut word.text)?,
            (_, Some(c)) if c.is_ascii_alphanumeric() || "_?!#*@-$'\"[".contains(c) => {}
            // A dollar sign that is just that.
            _ => return Some(()),
        }
        word.constant = false;
        Some(())
    }

    /// Copies from the opening bracket that comes next through the one that closes it.
    fn nested(&mut self, close: char, text: &mut String) -> Option<()> {
        let open = self.raw()?;
        text.push(open);
        self.through(open, close, text)
    }

    /// Copies through the `close` that belongs to the `open` just before.
    fn through(&mut self, open: char, close: char, text: &mut String) -> Option<()> {
        let mut depth = 1;
        while depth > 0 {
            let c = self.raw()?;
            text.push(c);
            match c {
                '\\' => text.push(self.raw()?),
                c if c == close => depth -= 1,
                c if c == open => depth += 1,
                _ => {}
            }
        }
        Some(())
    }
}

/// Whether a shell variable can be called this.
fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
