//! The flags that say what is wanted: one for each key of a spec, made from the table of keys.

use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Args, Command, FromArgMatches};

use crate::spec::{Group, Key, keys};

/// What is wanted: flags, or a file; flags win.
#[derive(Clone, Debug, Default)]
pub struct SpecArgs {
    /// The spec file; `-` is stdin.
    pub spec: Option<String>,
    /// The flags that were given.
    given: Vec<Given>,
}

/// A flag that was given: its name, the key of a spec file that it is, and its text.
type Given = (String, String, String);

/// The group of all of them, which other arguments exclude.
const GROUP: &str = "SpecArgs";

impl SpecArgs {
    /// The flags that were given, with their names in a spec file.
    #[must_use]
    pub fn flags(&self) -> Vec<Given> {
        self.given.clone()
    }

    /// A file alone.
    #[must_use]
    pub fn of_file(file: &str) -> Self {
        Self { spec: Some(file.into()), given: Vec::new() }
    }

    /// Whether anything was asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spec.is_none() && self.given.is_empty()
    }
}

impl Args for SpecArgs {
    fn group_id() -> Option<clap::Id> {
        Some(GROUP.into())
    }

    fn augment_args(command: Command) -> Command {
        let spec = Arg::new("spec")
            .long("spec")
            .value_name("FILE")
            .help("Read the spec from an INI file (- is stdin); flags win over it")
            .help_heading(heading(Group::What));
        let all: Vec<Arg> = std::iter::once(spec).chain(keys().iter().map(flag)).collect();
        let group = ArgGroup::new(GROUP).multiple(true).args(all.iter().map(Arg::get_id));
        command.args(all).group(group)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SpecArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut args = Self::default();
        args.update_from_arg_matches(matches)?;
        Ok(args)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.spec = matches.get_one("spec").cloned();
        self.given = keys()
            .into_iter()
            .filter_map(|key| {
                let texts = matches.get_many::<String>(&id(&key))?;
                let text = texts.cloned().collect::<Vec<_>>().join(",");
                Some((key.flag.into_owned(), key.name.to_string(), text))
            })
            .collect();
        Ok(())
    }
}

fn flag(key: &Key) -> Arg {
    let arg = match key.alone {
        // Else it would take the word behind it for its value.
        Some(value) => {
            Arg::new(id(key)).num_args(0..=1).require_equals(true).default_missing_value(value)
        }
        None => Arg::new(id(key)),
    };
    arg.long(key.flag.clone().into_owned())
        .value_name(key.word)
        .help(key.help)
        .help_heading(heading(key.group))
        .action(if key.many { ArgAction::Append } else { ArgAction::Set })
        .aliases(key.alias.map(|name| name.replace('_', "-")))
}

fn id(key: &Key) -> String {
    key.flag.replace('-', "_")
}

/// The help's words for a group.
pub(super) fn heading(group: Group) -> &'static str {
    match group {
        Group::What => "The bond and its network",
        Group::Behaviour => "Bond options",
        Group::Way => "How the change is made",
        Group::Safety => "Safety",
    }
}
