//! What keeps a module from being loaded, by all the files that modprobe reads, in its order.
//!
//! Knows how kmod and module-init-tools find their files and which line counts, and when a line
//! that sh runs still ends in the module being loaded. Must not know where the texts come from.

use std::collections::{BTreeMap, BTreeSet};

use super::{Command, Directive, included, parse, same_byte};

/// The folders that kmod reads, the first first: a file hides those of its name in later ones
/// (kmod 20 libkmod/libkmod-config.c, `default_config_paths` and `conf_files_list`).
pub const FOLDERS: [&str; 5] = [
    "/etc/modprobe.d",
    "/run/modprobe.d",
    "/usr/local/lib/modprobe.d",
    "/usr/lib/modprobe.d",
    "/lib/modprobe.d",
];

/// One line that keeps a module out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptOut {
    /// The file.
    pub path: String,
    /// The line, as it is read.
    pub line: String,
}

/// All that modprobe reads, in its order.
#[derive(Debug, Default)]
pub struct Files {
    commands: Vec<(String, Command)>,
    /// Whether any of several `install` lines may be the one that counts.
    any: bool,
}

impl Files {
    /// Of files by path, as kmod takes them: `*.conf` of its folders but those that begin with a
    /// dot, by name over all folders.
    #[must_use]
    pub fn of_kmod<'a>(files: impl Iterator<Item = (&'a str, &'a [u8])>) -> Self {
        let mut taken: Vec<(&str, usize, &str, &[u8])> = Vec::new();
        for (path, bytes) in files {
            let Some((folder, name)) = path.rsplit_once('/') else { continue };
            let Some(rank) = FOLDERS.iter().position(|known| *known == folder) else { continue };
            if name.ends_with(".conf") && !name.starts_with('.') {
                taken.push((name, rank, path, bytes));
            }
        }
        crate::order::sort_by_key(&mut taken, |(name, rank, ..)| (*name, *rank));
        taken.dedup_by_key(|(name, ..)| *name);
        Self::of(taken.into_iter().map(|(_, _, path, bytes)| (path, bytes)))
    }

    /// Of files by path, as module-init-tools takes them: `modprobe.conf`, then everything in
    /// `modprobe.d`, and where a line says `include` that file or folder (module-init-tools 3.3
    /// modprobe.c, `read_config`).
    #[must_use]
    pub fn of_init_tools<'a>(files: impl Iterator<Item = (&'a str, &'a [u8])>) -> Self {
        let all: BTreeMap<&str, &[u8]> = files.collect();
        let (mut taken, mut commands) = (BTreeSet::new(), Vec::new());
        for path in ["/etc/modprobe.conf", FOLDERS[0]] {
            take(path, &all, &mut taken, &mut commands);
        }
        Self { commands, any: true }
    }

    fn of<'a>(files: impl Iterator<Item = (&'a str, &'a [u8])>) -> Self {
        let mut commands = Vec::new();
        for (path, bytes) in files {
            let text = String::from_utf8_lossy(bytes);
            commands.extend(parse(&text).into_iter().map(|command| (path.to_string(), command)));
        }
        Self { commands, any: false }
    }

    /// Every command with its file.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Directive)> {
        self.commands.iter().map(|(path, command)| (path.as_str(), &command.directive))
    }

    /// The lines that keep a module out when it is asked for by its name. Of several `install`
    /// lines kmod takes the first; where that loads the module the others do nothing. Older tools
    /// take the one that they read last, in the order of a folder that nobody sorted.
    #[must_use]
    pub fn keep_out(&self, module: &str) -> Vec<KeptOut> {
        let mut installs = self.iter().filter_map(|(_, directive)| match directive {
            Directive::Install { module: name, command } if is_named(name, module) => Some(command),
            _ => None,
        });
        let loads = !self.any && installs.next().is_none_or(|command| loads(command, module));
        let line = |directive: &Directive| match directive {
            Directive::Install { module: name, command } => {
                let kept = !loads && is_named(name, module) && !self::loads(command, module);
                kept.then(|| format!("install {name} {command}"))
            }
            Directive::Alias { alias, module: target } => {
                let kept = is_named(alias, module) && !is_named(target, module);
                kept.then(|| format!("alias {alias} {target}"))
            }
            Directive::Blacklist { module: name } => {
                is_named(name, module).then(|| format!("blacklist {name}"))
            }
            _ => None,
        };
        let kept = self.iter().filter_map(|(path, directive)| {
            Some(KeptOut { path: path.to_string(), line: line(directive)? })
        });
        kept.collect()
    }
}

/// Takes a file, or all files of a folder, with what they include, each once.
fn take<'a>(
    path: &str,
    all: &BTreeMap<&'a str, &[u8]>,
    taken: &mut BTreeSet<&'a str>,
    commands: &mut Vec<(String, Command)>,
) {
    let of = |at: &str| {
        let below = at.strip_prefix(path).filter(|rest| rest.is_empty() || rest.starts_with('/'));
        below.is_some_and(|rest| !rest.contains("/."))
    };
    for (at, bytes) in all.iter().filter(|(at, _)| of(at)) {
        if !taken.insert(*at) {
            continue;
        }
        for command in parse(&String::from_utf8_lossy(bytes)) {
            match included(&command.directive) {
                Some(path) => take(path.trim_end_matches('/'), all, taken, commands),
                None => commands.push((at.to_string(), command)),
            }
        }
    }
}

/// Whether what sh makes of an `install` line surely ends in the module being loaded: it is one of
/// its commands to run modprobe past that very line, and nothing before it can keep it from that.
/// Anything else may do nothing.
fn loads(command: &str, module: &str) -> bool {
    let sure = |text: &str| !text.contains(['|', '&', '#', '`', '(', '{', '<', '>', '\'', '"']);
    for part in command.split(';') {
        // What follows a command that loaded it does not unload it.
        let first = part.split("&&").next().unwrap_or_default();
        let first = first.split("||").next().unwrap_or_default();
        if !sure(first) {
            return false;
        }
        let words: Vec<&str> = first.split_whitespace().collect();
        let Some((program, args)) = words.split_first() else { continue };
        let past = args.iter().any(|arg| ["-i", "--ignore-install"].contains(arg));
        let named = args.iter().any(|arg| is_named(arg, module));
        let fake = args.iter().any(|arg| {
            ["-n", "--dry-run", "--show", "-r", "--remove", "-V", "--version"].contains(arg)
        });
        if program.rsplit('/').next() == Some("modprobe") && past && named && !fake {
            return true;
        }
        let ends = ["exit", "exec", "return", "if", "while", "for", "until", "case", "!"];
        if ends.contains(program) || first.len() < part.len() {
            return false;
        }
    }
    false
}

/// Whether a name of a line means the module: they are globs, and `-` and `_` are the same.
fn is_named(pattern: &str, module: &str) -> bool {
    glob(pattern.as_bytes(), module.as_bytes())
}

fn glob(pattern: &[u8], name: &[u8]) -> bool {
    match pattern {
        [] => name.is_empty(),
        [b'*', rest @ ..] => (0..=name.len()).any(|at| glob(rest, &name[at..])),
        [b'?', rest @ ..] => !name.is_empty() && glob(rest, &name[1..]),
        [b'[', rest @ ..] => {
            let Some(end) = rest.iter().skip(1).position(|b| *b == b']') else { return false };
            let (set, rest) = (&rest[..=end], &rest[end + 2..]);
            let Some((first, behind)) = name.split_first() else { return false };
            let (not, set) = match set {
                [b'!' | b'^', set @ ..] => (true, set),
                set => (false, set),
            };
            in_set(set, *first) != not && glob(rest, behind)
        }
        [one, rest @ ..] => {
            name.first().is_some_and(|b| same_byte(*b, *one)) && glob(rest, &name[1..])
        }
    }
}

fn in_set(set: &[u8], byte: u8) -> bool {
    match set {
        [from, b'-', to, rest @ ..] => (*from..=*to).contains(&byte) || in_set(rest, byte),
        [one, rest @ ..] => same_byte(*one, byte) || in_set(rest, byte),
        [] => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kmod(files: &[(&str, &str)]) -> Vec<String> {
        let files = files.iter().map(|(path, text)| (*path, text.as_bytes()));
        let kept = Files::of_kmod(files).keep_out("bridge");
        kept.into_iter().map(|k| format!("{}: {}", k.path, k.line)).collect()
    }

    #[test]
    fn only_a_line_that_ends_in_the_module_being_loaded_loads_it() {
        for (command, loaded) in [
            ("/bin/true", false),
            ("/usr/bin/true", false),
            ("true", false),
            ("/bin/true;", false),
            (":", false),
            ("exit 0", false),
            ("/bin/sh -c 'exit 0'", false),
            ("echo no > /dev/kmsg", false),
            ("/sbin/modprobe --ignore-install bridge", true),
            ("/sbin/modprobe -q -i bridge && /sbin/sysctl -p", true),
            ("modprobe -i bridge || true", true),
            ("echo on; modprobe -i bridge; echo done", true),
            ("modprobe -i bridge", true),
            ("modprobe bridge", false),
            ("modprobe -n -i bridge", false),
            ("modprobe -i llc", false),
            ("exit 0; modprobe -i bridge", false),
            ("false && modprobe -i bridge", false),
            ("true || modprobe -i bridge", false),
            ("# modprobe -i bridge", false),
            ("exec true; modprobe -i bridge", false),
            ("if false; then modprobe -i bridge; fi", false),
        ] {
            assert_eq!(loads(command, "bridge"), loaded, "{command}");
        }
    }

    #[test]
    fn files_are_taken_by_name_over_all_folders_and_the_first_install_counts() {
        let no = "install bridge /bin/true\n";
        let yes = "install bridge /sbin/modprobe -i bridge\n";
        for (files, want) in [
            (&[("/etc/modprobe.d/a.conf", no)][..], &["/etc/modprobe.d/a.conf"][..]),
            (&[("/usr/lib/modprobe.d/a.conf", no)], &["/usr/lib/modprobe.d/a.conf"]),
            (&[("/etc/modprobe.d/.a.conf", no), ("/etc/modprobe.d/a", no)], &[]),
            (&[("/etc/modprobe.d/a.conf", "#\n"), ("/lib/modprobe.d/a.conf", no)], &[]),
            (&[("/etc/modprobe.d/b.conf", no), ("/lib/modprobe.d/a.conf", yes)], &[]),
            (
                &[("/etc/modprobe.d/b.conf", yes), ("/lib/modprobe.d/a.conf", no)],
                &["/lib/modprobe.d/a.conf"],
            ),
            (
                &[("/etc/modprobe.d/a.conf", "install brid* /bin/true\n")],
                &["/etc/modprobe.d/a.conf"],
            ),
            (&[("/etc/modprobe.d/a.conf", "install [a-c]ridge :\n")], &["/etc/modprobe.d/a.conf"]),
            (&[("/etc/modprobe.d/a.conf", "install [!a-c]ridge :\n")], &[]),
            (&[("/etc/modprobe.d/a.conf", "alias bridge off\n")], &["/etc/modprobe.d/a.conf"]),
            (&[("/etc/modprobe.d/a.conf", "alias net-pf-7 bridge\n")], &[]),
        ] {
            let kept = kmod(files);
            let paths: Vec<&str> = kept.iter().filter_map(|k| k.split(": ").next()).collect();
            assert_eq!(paths, want, "{files:?}");
        }
    }

    #[test]
    fn older_tools_read_every_file_and_what_it_includes() {
        let no = "install bridge /bin/true\n";
        let yes = "install bridge /sbin/modprobe -i bridge\n";
        for (files, want) in [
            (&[("/etc/modprobe.d/dist", no)][..], &["/etc/modprobe.d/dist"][..]),
            (&[("/etc/modprobe.d/.dist", no), ("/etc/modprobe.d/a/.b", no)], &[]),
            (&[("/etc/modprobe.d/a/b", no)], &["/etc/modprobe.d/a/b"]),
            (&[("/etc/modprobe.d/a", yes), ("/etc/modprobe.conf", yes)], &[]),
            // Which of two is read last the folder's own order says.
            (
                &[("/etc/modprobe.d/dist", no), ("/etc/modprobe.conf", yes)],
                &["/etc/modprobe.d/dist"],
            ),
            (&[("/etc/modprobe.conf", "include /etc/x\n"), ("/etc/x", no)], &["/etc/x"]),
            (&[("/etc/modprobe.conf", "include /etc/x/\n"), ("/etc/x/a", no)], &["/etc/x/a"]),
            (
                &[
                    ("/etc/modprobe.conf", "include /etc/x\ninclude /etc/x\n"),
                    ("/etc/x", "include /etc/modprobe.conf\ninclude /etc/y\n"),
                    ("/etc/y", no),
                ],
                &["/etc/y"],
            ),
            (&[("/etc/modprobe.conf", "# include /etc/x\n"), ("/etc/x", no)], &[]),
        ] {
            let read = files.iter().map(|(path, text)| (*path, text.as_bytes()));
            let kept = Files::of_init_tools(read).keep_out("bridge");
            let paths: Vec<&str> = kept.iter().map(|kept| kept.path.as_str()).collect();
            assert_eq!(paths, want, "{files:?}");
        }
    }
}
