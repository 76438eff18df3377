//! `--version` by itself is answered before the whole command line is described to clap, which
//! takes longer than everything else that such a run does.

use std::ffi::OsString;

/// What is printed.
pub const TEXT: &str = concat!("xenbond ", env!("CARGO_PKG_VERSION"), "\n");

/// Whether the version is all that is asked for.
pub fn alone(args: &[OsString]) -> bool {
    matches!(args, [_, only] if only == "--version" || only == "-V")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::help::parse;

    #[test]
    fn says_what_clap_says() {
        for (line, is_alone, answer) in [
            ("xenbond --version", true, Some(TEXT)),
            ("xenbond -V", true, Some(TEXT)),
            ("xenbond --json --version", false, Some(TEXT)),
            ("xenbond --version plan", false, Some(TEXT)),
            ("xenbond plan --version", false, None),
            ("xenbond --versions", false, None),
            ("xenbond", false, None),
        ] {
            let args: Vec<OsString> = line.split(' ').map(Into::into).collect();
            assert_eq!(alone(&args), is_alone, "{line}");
            let said = parse(&args).unwrap_err();
            assert_eq!((!said.use_stderr()).then(|| said.to_string()).as_deref(), answer, "{line}");
        }
    }
}
