//! COMMAND: the command table as clients see it. Everything told here is derived from the declarations; this file only
//! puts it into the shapes of the protocol.

use shardis_protocol::{Aggregate, Mark, Reply, Request};
use shardis_storage::glob;

use crate::client::Client;
use crate::command::Arity::{AtLeast, Exactly};
use crate::command::syntax::{self, Argument};
use crate::command::table::{Entry, Table};
use crate::command::{Access, Begin, Call, Category, Command, Done, Error, Find, Flags, Flow, KeySpec, Told};
use crate::config::{Dialect, Personality};

const FLAGS: Flags = Flags::LOADING.union(Flags::STALE);
const UNORDERED: &[&str] = &["nondeterministic_output_order"];

pub static COMMAND: Command = Command::client("COMMAND", command)
    .subcommands(&[&COUNT, &DOCS, &GETKEYS, &GETKEYSANDFLAGS, &HELP, &INFO, &LIST])
    .arity(AtLeast(1))
    .flags(FLAGS)
    .categories(Category::CONNECTION)
    .since("2.8.13")
    .complexity("O(N) where N is the total number of Redis commands")
    .summary("Returns detailed information about all commands.")
    .tips(UNORDERED);

fn command(call: &mut Call<'_>, _client: &mut Client) -> Done {
    let table = &call.state.commands;
    let mut infos = Infos::new(call);
    infos.reply.array(table.commands().count());
    for entry in table.commands() {
        infos.write(entry);
    }
    Ok(Flow::Done)
}

static COUNT: Command = Command::client("COUNT", count)
    .arity(Exactly(2))
    .flags(FLAGS)
    .categories(Category::CONNECTION)
    .since("2.8.13")
    .complexity("O(1)")
    .summary("Returns a count of commands.");

fn count(call: &mut Call<'_>, _client: &mut Client) -> Done {
    call.integer(call.state.commands.commands().count())
}

static INFO: Command = Command::client("INFO", info)
    .syntax("[command-name [command-name ...]]")
    .arity(AtLeast(2))
    .flags(FLAGS)
    .categories(Category::CONNECTION)
    .since("2.8.13")
    .history(&[("7.0.0", "Allowed to be called with no argument to get info on all commands.")])
    .complexity("O(N) where N is the number of commands to look up")
    .summary("Returns information about one, multiple or all commands.")
    .tips(UNORDERED);

fn info(call: &mut Call<'_>, client: &mut Client) -> Done {
    if call.args.is_empty() {
        return command(call, client);
    }
    let (table, names) = (&call.state.commands, call.args);
    let mut infos = Infos::new(call);
    infos.reply.array(names.len());
    for name in names {
        match table.lookup_full_name(name) {
            Some(entry) => infos.write(entry),
            None => infos.reply.null(),
        }
    }
    Ok(Flow::Done)
}

static DOCS: Command = Command::client("DOCS", docs)
    .syntax("[command-name [command-name ...]]")
    .arity(AtLeast(2))
    .flags(FLAGS)
    .categories(Category::CONNECTION)
    .since("7.0.0")
    .complexity("O(N) where N is the number of commands to look up")
    .summary("Returns documentary information about one, multiple or all commands.")
    .tips(UNORDERED);

fn docs(call: &mut Call<'_>, _client: &mut Client) -> Done {
    let table = &call.state.commands;
    let mut found = Fields::begin(call.reply);
    if call.args.is_empty() {
        for entry in table.commands() {
            write_docs(found.value(&entry.full_name), table, entry);
        }
    }
    for entry in call.args.rest().filter_map(|name| table.lookup_full_name(name)) {
        write_docs(found.value(&entry.full_name), table, entry);
    }
    found.end();
    Ok(Flow::Done)
}

static LIST: Command = Command::client("LIST", list)
    .syntax("[FILTERBY <MODULE module-name | ACLCAT category | PATTERN pattern>]")
    .arity(AtLeast(2))
    .flags(FLAGS)
    .categories(Category::CONNECTION)
    .since("7.0.0")
    .complexity("O(N) where N is the total number of Redis commands")
    .summary("Returns a list of command names.")
    .tips(UNORDERED);

fn list(call: &mut Call<'_>, _client: &mut Client) -> Done {
    let filter = Filter::parse(call)?;
    let start = call.reply.mark();
    let mut names = 0;
    for entry in call.state.commands.entries().iter().filter(|entry| filter.admits(entry)) {
        call.reply.bulk(entry.full_name.as_bytes());
        names += 1;
    }
    call.reply.insert_array_header(start, names);
    Ok(Flow::Done)
}

/// Commands without arguments have no keys.
const LONGER_IN_70: &[(Personality, Told)] = &[(Personality::Redis70, Told::Arity(AtLeast(4)))];

static GETKEYS: Command = Command::client("GETKEYS", getkeys)
    .syntax("command [arg [arg ...]]")
    .arity(AtLeast(3))
    .flags(FLAGS)
    .categories(Category::CONNECTION)
    .since("2.8.13")
    .complexity("O(N) where N is the number of arguments to the command")
    .summary("Extracts the key names from an arbitrary command.")
    .elsewhere(LONGER_IN_70);

fn getkeys(call: &mut Call<'_>, _client: &mut Client) -> Done {
    let keys = keys_of_call(call)?;
    call.reply.array(keys.len());
    for (key, _) in keys {
        call.reply.bulk(key);
    }
    Ok(Flow::Done)
}

static GETKEYSANDFLAGS: Command = Command::client("GETKEYSANDFLAGS", getkeysandflags)
    .syntax("command [arg [arg ...]]")
    .arity(AtLeast(3))
    .flags(FLAGS)
    .categories(Category::CONNECTION)
    .since("7.0.0")
    .complexity("O(N) where N is the number of arguments to the command")
    .summary("Extracts the key names and access flags for an arbitrary command.")
    .elsewhere(LONGER_IN_70);

fn getkeysandflags(call: &mut Call<'_>, _client: &mut Client) -> Done {
    let keys = keys_of_call(call)?;
    call.reply.array(keys.len());
    for (key, access) in keys {
        call.reply.array(2);
        call.reply.bulk(key);
        write_names(call.reply, access.names());
    }
    Ok(Flow::Done)
}

static HELP: Command = Command::help(help).categories(Category::CONNECTION).since("5.0.0");

fn help(call: &mut Call<'_>, _client: &mut Client) -> Done {
    call.help("COMMAND", HELP_LINES)
}

const HELP_LINES: &[&str] = &[
    "(no subcommand)",
    "    Return details about all Redis commands.",
    "COUNT",
    "    Return the total number of commands in this Redis server.",
    "LIST",
    "    Return a list of all commands in this Redis server.",
    "INFO [<command-name> ...]",
    "    Return details about multiple Redis commands.",
    "    If no command names are given, documentation details for all",
    "    commands are returned.",
    "DOCS [<command-name> ...]",
    "    Return documentation details about multiple Redis commands.",
    "    If no command names are given, documentation details for all",
    "    commands are returned.",
    "GETKEYS <full-command>",
    "    Return the keys from a full Redis command.",
    "GETKEYSANDFLAGS <full-command>",
    "    Return the keys and the access flags from a full Redis command.",
];

/// Which commands COMMAND LIST lists.
enum Filter<'a> {
    All,
    /// Of a module: none, because there are no modules.
    Module,
    Category(Option<Category>),
    Pattern(&'a [u8]),
}

impl<'a> Filter<'a> {
    fn parse(call: &mut Call<'a>) -> Result<Filter<'a>, Error> {
        if call.args.is_empty() {
            return Ok(Filter::All);
        }
        if call.args.len() != 3 || !call.args.take_word("FILTERBY") {
            return Err(Error::SYNTAX);
        }
        let make = if call.args.take_word("MODULE") {
            |_| Filter::Module
        } else if call.args.take_word("ACLCAT") {
            |name| Filter::Category(Category::from_name(name))
        } else if call.args.take_word("PATTERN") {
            Filter::Pattern
        } else {
            return Err(Error::SYNTAX);
        };
        call.args.take().map(make)
    }

    fn admits(&self, entry: &Entry) -> bool {
        match self {
            Filter::All => true,
            Filter::Module => false,
            Filter::Category(category) => {
                category.is_some_and(|category| entry.categories.contains(category))
            }
            Filter::Pattern(pattern) => glob::matches_ignore_case(pattern, entry.full_name.as_bytes()),
        }
    }
}

/// The keys of a call that is not carried out, each with what would be done to it.
fn keys_of_call<'a>(call: &Call<'a>) -> Result<Vec<(&'a [u8], Access)>, Error> {
    let mut request = call.request().tail(2);
    let mut keys = Vec::new();
    loop {
        let entry = call.state.commands.invoked(request).ok_or(Error::INVALID_COMMAND)?;
        add_keys(call, entry, request, &mut keys)?;
        // A command that runs another has the keys of that too.
        let Some((inner, words)) = entry.inner(call.state, request) else { return Ok(keys) };
        if inner.command.keys.iter().all(KeySpec::is_no_key) {
            return Ok(keys);
        }
        request = words;
    }
}

/// Adds the keys of one command.
fn add_keys<'a>(
    call: &Call<'a>,
    entry: &Entry,
    request: Request<'a>,
    keys: &mut Vec<(&'a [u8], Access)>,
) -> Result<(), Error> {
    if entry.command.keys.iter().all(KeySpec::is_no_key) {
        return Err(Error::NO_KEY_ARGUMENTS);
    }
    if !entry.arity.fits(request.len()) {
        return Err(Error::INVALID_ARGUMENT_COUNT);
    }
    for spec in entry.command.keys {
        let is_optional = matches!(spec.find, Find::Search(_) | Find::Content);
        match spec.positions(request).filter(|positions| positions.len() > 0 || is_optional) {
            Some(positions) => {
                let access = spec.access_in(request, call.dialect());
                keys.extend(positions.filter_map(|at| request.arg(at)).map(|key| (key, access)));
            }
            None if entry.flags.contains(Flags::NO_MANDATORY_KEYS) => return Ok(()),
            None => return Err(Error::INVALID_ARGUMENTS),
        }
    }
    Ok(())
}

/// Writes what COMMAND INFO tells of a command.
struct Infos<'c> {
    table: &'c Table,
    reply: &'c mut Reply,
    /// What a command without subcommands has in their place in RESP3.
    no_subcommands: Aggregate,
    personality: Personality,
}

impl<'c> Infos<'c> {
    fn new(call: &'c mut Call<'_>) -> Infos<'c> {
        let &Dialect { no_subcommands_is_array, .. } = call.dialect();
        let no_subcommands = if no_subcommands_is_array { Aggregate::Array } else { Aggregate::Set };
        let personality = call.state.config.personality.value();
        Infos { table: &call.state.commands, reply: call.reply, no_subcommands, personality }
    }

    fn write(&mut self, entry: &Entry) {
        let (mut flags, mut tips) = (entry.flags, entry.command.tips);
        for (_, told) in entry.command.elsewhere.iter().filter(|(who, _)| *who == self.personality) {
            match *told {
                Told::Flags(others) => flags = others,
                Told::Tips(others) => tips = others,
                Told::Arity(_) => {}
            }
        }
        let reply = &mut *self.reply;
        reply.array(10);
        reply.bulk(entry.full_name.as_bytes());
        reply.integer(entry.arity.signed());
        write_names(reply, flags.names());
        reply.integer(entry.key_range.first.into());
        reply.integer(entry.key_range.last.into());
        reply.integer(entry.key_range.step.into());
        let categories: Vec<String> = entry.categories.names().map(|name| format!("@{name}")).collect();
        write_names(reply, categories.iter().map(String::as_str));
        reply.set(tips.len());
        for tip in tips {
            reply.bulk(tip.as_bytes());
        }
        reply.set(entry.command.keys.len());
        for spec in entry.command.keys {
            write_key_spec(reply, spec);
        }
        let subcommands = self.table.subcommands(entry);
        let kind = if subcommands.is_empty() { self.no_subcommands } else { Aggregate::Array };
        reply.aggregate(kind, subcommands.len());
        for subcommand in subcommands {
            self.write(subcommand);
        }
    }
}

fn write_key_spec(reply: &mut Reply, spec: &KeySpec) {
    let mut fields = Fields::begin(reply);
    fields.text("notes", spec.notes);
    write_names(fields.value("flags"), spec.access.names());
    let begin = fields.value("begin_search");
    match spec.begin {
        Begin::Index(index) => write_search(begin, "index", &[("index", index.into())]),
        Begin::Keyword { word, from } => {
            begin.map(2);
            begin.bulk(b"type");
            begin.bulk(b"keyword");
            begin.bulk(b"spec");
            begin.map(2);
            begin.bulk(b"keyword");
            begin.bulk(word.as_bytes());
            begin.bulk(b"startfrom");
            begin.integer(from.into());
        }
        Begin::Unknown => write_search(begin, "unknown", &[]),
    }
    let find = fields.value("find_keys");
    match spec.find {
        Find::Search(_) if matches!(spec.begin, Begin::Keyword { .. }) => {
            write_search(find, "range", &[("lastkey", 0), ("keystep", 1), ("limit", 0)]);
        }
        Find::Range { last, step } => {
            write_search(find, "range", &[("lastkey", last.into()), ("keystep", step.into()), ("limit", 0)]);
        }
        Find::Part { of, .. } => {
            write_search(find, "range", &[("lastkey", -1), ("keystep", 1), ("limit", of.into())]);
        }
        Find::Count { first, step } => {
            write_search(
                find,
                "keynum",
                &[("keynumidx", 0), ("firstkey", first.into()), ("keystep", step.into())],
            );
        }
        Find::Search(_) | Find::Content => write_search(find, "unknown", &[]),
    }
    fields.end();
}

/// One of the two steps by which keys are found: its type and its numbers.
fn write_search(reply: &mut Reply, kind: &str, spec: &[(&str, i64)]) {
    reply.map(2);
    reply.bulk(b"type");
    reply.bulk(kind.as_bytes());
    reply.bulk(b"spec");
    reply.map(spec.len());
    for (name, value) in spec {
        reply.bulk(name.as_bytes());
        reply.integer(*value);
    }
}

fn write_docs(reply: &mut Reply, table: &Table, entry: &Entry) {
    let command = entry.command;
    let (deprecated_since, replaced_by) = command.deprecated.unwrap_or_default();
    let mut fields = Fields::begin(reply);
    fields.text("summary", command.summary);
    fields.text("since", command.since);
    fields.text("group", entry.family.group);
    fields.text("complexity", command.complexity);
    let doc_flags =
        [("deprecated", command.deprecated.is_some()), ("syscmd", entry.flags.contains(Flags::SYSTEM))];
    if doc_flags.iter().any(|(_, is_set)| *is_set) {
        write_flags(fields.value("doc_flags"), &doc_flags);
    }
    fields.text("deprecated_since", deprecated_since);
    fields.text("replaced_by", replaced_by);
    if !command.history.is_empty() {
        let history = fields.value("history");
        history.set(command.history.len());
        for (version, change) in command.history {
            history.array(2);
            history.bulk(version.as_bytes());
            history.bulk(change.as_bytes());
        }
    }
    let arguments = syntax::arguments(command);
    if !arguments.is_empty() {
        write_arguments(fields.value("arguments"), &arguments);
    }
    if entry.has_subcommands() {
        let mut subcommands = Fields::begin(fields.value("subcommands"));
        for subcommand in table.subcommands(entry) {
            write_docs(subcommands.value(&subcommand.full_name), table, subcommand);
        }
        subcommands.end();
    }
    fields.end();
}

fn write_arguments(reply: &mut Reply, arguments: &[Argument]) {
    reply.array(arguments.len());
    for argument in arguments {
        let mut fields = Fields::begin(reply);
        fields.text("name", &argument.name);
        fields.text("type", argument.kind.name());
        fields.text("display_text", &argument.display_text);
        if let Some(index) = argument.key_spec_index {
            fields.value("key_spec_index").integer(index as i64);
        }
        fields.text("token", argument.token.unwrap_or_default());
        fields.text("since", argument.since.unwrap_or_default());
        let flags = [
            ("optional", argument.optional),
            ("multiple", argument.multiple),
            ("multiple_token", argument.multiple_token),
        ];
        if flags.iter().any(|(_, is_set)| *is_set) {
            write_flags(fields.value("flags"), &flags);
        }
        if argument.kind.is_group() {
            write_arguments(fields.value("arguments"), &argument.arguments);
        }
        fields.end();
    }
}

/// A set of status lines.
fn write_names<'a>(reply: &mut Reply, names: impl Iterator<Item = &'a str>) {
    let start = reply.mark();
    let mut written = 0;
    for name in names {
        reply.simple(name);
        written += 1;
    }
    reply.insert_header(start, Aggregate::Set, written);
}

/// The names of the flags that are set.
fn write_flags(reply: &mut Reply, flags: &[(&str, bool)]) {
    write_names(reply, flags.iter().filter(|(_, is_set)| *is_set).map(|(name, _)| *name));
}

/// A map that is counted while it is written.
struct Fields<'r> {
    reply: &'r mut Reply,
    start: Mark,
    len: usize,
}

impl<'r> Fields<'r> {
    fn begin(reply: &'r mut Reply) -> Fields<'r> {
        let start = reply.mark();
        Fields { reply, start, len: 0 }
    }

    /// A field whose value is written next.
    fn value(&mut self, name: &str) -> &mut Reply {
        self.reply.bulk(name.as_bytes());
        self.len += 1;
        self.reply
    }

    /// A text field, left out when the text is empty.
    fn text(&mut self, name: &str, text: &str) {
        if !text.is_empty() {
            self.value(name).bulk(text.as_bytes());
        }
    }

    fn end(self) {
        self.reply.insert_header(self.start, Aggregate::Map, self.len);
    }
}
