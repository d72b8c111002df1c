//! Keeps the map true: a module uses only what stands above it in `src/lib.rs`, every file belongs
//! to a target, and what ARCHITECTURE.md says is absent is absent.
//!
//! To `syn` the arguments of a macro are bare tokens, so a visitor of paths would miss
//! `vec![crate::app::run()]`. We therefore collect paths from the tokens of the whole file: one
//! rule sees `use` lines, groups, bodies, re-exports, attributes and macros alike. Names that come
//! by other ways (a method, a trait, a value handed over) are not seen, and need not be: whoever
//! brings them in has to name their module.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

#[test]
fn a_module_uses_only_what_stands_above_it() {
    let order = modules_in_order(&read(&root().join("src/lib.rs")));
    assert_none(library_files().iter().flat_map(|file| {
        offences(&order, &file.module, &file.source).into_iter().map(move |found| file.at(found))
    }));
}

#[test]
fn only_the_clock_asks_for_the_time() {
    assert_none(library_files().iter().filter(|file| file.module != ["clock"]).flat_map(|file| {
        named_paths(&file.source)
            .into_iter()
            .filter(Named::is_wall_clock)
            .map(move |named| file.at(format!("{named} asks for the time")))
    }));
}

#[test]
fn the_judging_modules_are_pure() {
    assert_none(library_files().iter().filter(|file| JUDGING.contains(&file.top())).flat_map(
        |file| {
            outside_world(&file.source)
                .into_iter()
                .map(move |named| file.at(format!("{named} reaches out of a pure module")))
        },
    ));
}

#[test]
fn a_foreign_crate_stays_where_it_belongs() {
    assert_none(library_files().iter().flat_map(|file| {
        misplaced(file.top(), &file.source).into_iter().map(move |found| file.at(found))
    }));
}

#[test]
fn sync_format_knows_no_clock_no_files_and_no_network() {
    assert_none(files_in("sync-format/src").iter().flat_map(|file| {
        let clock = named_paths(&file.source).into_iter().filter(Named::is_wall_clock);
        outside_world(&file.source)
            .into_iter()
            .chain(clock)
            .map(move |named| file.at(format!("{named} reaches out of the formats")))
    }));
}

#[test]
fn no_source_file_is_forgotten() {
    let mut forgotten = Vec::new();
    for (target, folder) in [
        ("src/lib.rs", "src"),
        ("sync-format/src/lib.rs", "sync-format/src"),
        ("android/src/lib.rs", "android/src"),
        ("tests/it/main.rs", "tests/it"),
    ] {
        let (target, folder) = (root().join(target), root().join(folder));
        forgotten.extend(undeclared(&target, &folder));
    }
    // With `autobins`, `autotests` and `autobenches` off, a target is what Cargo.toml names.
    let manifest = read(&root().join("Cargo.toml"));
    forgotten.retain(|file| !file.starts_with(root().join("src/bin")));
    for folder in ["src/bin", "tests", "benches"] {
        forgotten.extend(entries(&root().join(folder)).into_iter().filter(|file| {
            is_rust(file) && !manifest.contains(&format!("path = \"{}\"", shown(file)))
        }));
    }
    assert_none(forgotten.iter().map(|file| format!("{} belongs to no target", shown(file))));
}

#[test]
fn architecture_names_the_modules_in_their_order() {
    let order = modules_in_order(&read(&root().join("src/lib.rs")));
    let document = read(&root().join("ARCHITECTURE.md"));
    let map = document.split("\n## ").find(|section| section.starts_with("Module map"));
    let rows: Vec<&str> = map
        .expect("ARCHITECTURE.md has a section `Module map`")
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .collect();
    assert_eq!(rows, order);
}

#[test]
fn documents_name_only_commands_that_dev_has() {
    let dev = read(&root().join("dev"));
    for document in DOCUMENTS {
        let text = read(&root().join(document));
        let commands = text.split("./dev ").skip(1).filter_map(|rest| {
            let word: String = rest.chars().take_while(char::is_ascii_lowercase).collect();
            (!word.is_empty()).then_some(word)
        });
        assert_none(
            commands
                .filter(|word| !dev.contains(&format!("\ndo_{word}() {{")))
                .map(|word| format!("{document} names `./dev {word}`, which ./dev does not have")),
        );
    }
}

#[test]
fn documents_lead_to_files_that_exist() {
    for document in DOCUMENTS {
        let folder = root().join(document);
        let folder = folder.parent().expect("a document stands in a folder");
        let text = read(&root().join(document));
        let links = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
        let dead = links.filter(|link| !link.contains("://") && !folder.join(link).exists());
        assert_none(dead.map(|link| format!("{document} leads to {link}, which is not there")));
    }
}

#[test]
fn every_asset_names_its_source() {
    let sources = read(&root().join("assets/README.md"));
    let assets =
        ["assets", "ui/fonts"].into_iter().flat_map(|folder| entries(&root().join(folder)));
    let unnamed = assets.filter(|asset| {
        let name = asset.file_name().expect("an entry has a name").to_string_lossy();
        name != "README.md" && !sources.contains(&format!("{name}`"))
    });
    assert_none(unnamed.map(|asset| format!("assets/README.md says nothing of {}", shown(&asset))));
}

/// The documents of the whole project.
const DOCUMENTS: [&str; 4] = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "assets/README.md"];

/// Values in, values out: these modules see no file, no network, no thread and no environment.
const JUDGING: [&str; 4] = ["document", "matching", "checks", "verdict"];

/// The parts of `std` that reach outside.
const OUTSIDE: [&str; 5] = ["env", "fs", "net", "process", "thread"];

/// Foreign crates, and the only modules that may name them.
const BELONGS: &[(&[&str], &[&str])] = &[
    (&["rusqlite"], &["store", "queue"]),
    (&["rxing", "rqrr", "nokhwa"], &["camera"]),
    (&["argon2"], &["keys"]),
    (&["pcsc"], &["platform"]),
    (&["slint", "fieldcheck_ui"], &["platform", "worker", "view", "command", "app"]),
    (&["clap", "indicatif", "anyhow", "postgres"], &["command"]),
    (&["object_store", "reqwest", "rustls", "tokio"], &["repository"]),
    // The codec and the bounded decompression stand in `sync-format`, and there alone.
    (&["bincode", "zstd"], &[]),
];

/// A file of a package, and where it stands in the module tree.
struct SourceFile {
    path: PathBuf,
    module: Vec<String>,
    source: String,
}

impl SourceFile {
    fn top(&self) -> &str {
        &self.module[0]
    }

    fn at(&self, found: impl fmt::Display) -> String {
        format!("{}:{found}", shown(&self.path))
    }
}

/// Returns the library's files; the root that lists them and the programs stand outside the order.
fn library_files() -> Vec<SourceFile> {
    let mut files = files_in("src");
    files.retain(|file| file.module != ["lib"] && file.top() != "bin");
    files
}

fn files_in(folder: &str) -> Vec<SourceFile> {
    let folder = root().join(folder);
    let files = rust_files(&folder);
    assert!(!files.is_empty(), "{} holds no Rust file", folder.display());
    files
        .into_iter()
        .map(|path| {
            let inside = path.strip_prefix(&folder).expect("found under the folder");
            let module = inside.with_extension("");
            let module = module.iter().map(|name| name.to_string_lossy().into_owned()).collect();
            SourceFile { module, source: read(&path), path }
        })
        .collect()
}

/// Returns the modules that a crate root declares, in the order in which it declares them.
fn modules_in_order(lib: &str) -> Vec<String> {
    let file = syn::parse_file(lib).expect("src/lib.rs is Rust");
    let modules = file.items.into_iter().filter_map(|item| match item {
        syn::Item::Mod(module) => Some(module.ident.to_string()),
        _ => None,
    });
    let modules: Vec<String> = modules.collect();
    assert!(!modules.is_empty(), "src/lib.rs declares no module");
    modules
}

/// A path that a source names: `crate::store::open` in a `use`, in a body or in a macro.
#[derive(Debug)]
struct Named {
    segments: Vec<String>,
    /// Followed by `as`: under its new name it could lead anywhere.
    renamed: bool,
    place: Place,
    line: usize,
}

/// Where in a file a path stands.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    /// How many inline modules are around it: each takes one `super`.
    nesting: usize,
    in_test: bool,
    in_attribute: bool,
}

impl Named {
    /// Returns what the path names below the crate root, or `None` where it does not start there.
    ///
    /// `depth` is the number of modules from the root to the file: 2 for `src/camera/decode.rs`.
    fn below_root(&self, depth: usize) -> Option<&[String]> {
        let mut rest = self.segments.as_slice();
        if rest[0] == "crate" {
            return Some(&rest[1..]);
        }
        if rest[0] == "self" {
            rest = &rest[1..];
            if rest.is_empty() && self.renamed {
                return Some(rest); // `extern crate self as other`
            }
        }
        let mut level = depth + self.place.nesting;
        let mut climbed = false;
        while rest.first().is_some_and(|segment| segment == "super") {
            level = level.checked_sub(1)?;
            rest = &rest[1..];
            climbed = true;
        }
        (climbed && level == 0).then_some(rest)
    }

    fn is_wall_clock(&self) -> bool {
        self.segments.iter().any(|segment| segment == "SystemTime" || segment == "UNIX_EPOCH")
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.line, self.segments.join("::"))
    }
}

/// Returns every path in `source` that leads to a module below `module`, or past the map.
fn offences(order: &[String], module: &[String], source: &str) -> Vec<String> {
    let rank_of = |name: &String| order.iter().position(|listed| listed == name);
    let Some(own_rank) = rank_of(&module[0]) else {
        return vec![format!("1: {} is not listed in src/lib.rs", module[0])];
    };
    let mut found = Vec::new();
    for named in named_paths(source) {
        let Some(rest) = named.below_root(module.len()) else {
            continue;
        };
        let why = match rest.first() {
            None if named.renamed => "gives the crate root another name",
            None => continue,
            Some(head) if head == "self" => "gives the crate root another name",
            Some(head) if head == "*" => "takes all modules at once",
            Some(head) => match rank_of(head) {
                None => "is no module of src/lib.rs",
                Some(rank) if rank > own_rank => "stands below",
                Some(_) => continue,
            },
        };
        found.push(format!("{named} {why}"));
    }
    found
}

/// Returns the uses of files, network, threads and environment, tests aside.
fn outside_world(source: &str) -> Vec<Named> {
    let mut found = named_paths(source);
    found.retain(|named| {
        !named.place.in_test
            && matches!(named.segments.as_slice(), [root, part, ..]
                if root == "std" && OUTSIDE.contains(&part.as_str()))
    });
    found
}

/// Returns the foreign crates that `source` names although they belong to other modules.
fn misplaced(module: &str, source: &str) -> Vec<String> {
    let mut found = Vec::new();
    for named in named_paths(source).iter().filter(|named| !named.place.in_test) {
        // A lone name is a variable or a field; a crate is named by a path into it.
        let [head, _, ..] = named.segments.as_slice() else {
            continue;
        };
        for (crates, modules) in BELONGS {
            if crates.contains(&head.as_str()) && !modules.contains(&module) {
                found.push(format!("{named} belongs to {modules:?}"));
            }
        }
    }
    found
}

fn named_paths(source: &str) -> Vec<Named> {
    let tokens: TokenStream = source.parse().expect("a file that compiles is made of tokens");
    let mut found = Vec::new();
    collect(tokens, Place::default(), &mut found);
    found
}

fn collect(tokens: TokenStream, place: Place, found: &mut Vec<Named>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut here = place;
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at..] {
            [TokenTree::Punct(hash), rest @ ..] if hash.as_char() == '#' => {
                let inner =
                    usize::from(matches!(rest, [TokenTree::Punct(p), ..] if p.as_char() == '!'));
                at += 1 + inner;
                if let Some(attribute) = group(&tokens, at, Delimiter::Bracket) {
                    let words = attribute.to_string().replace(' ', "");
                    here.in_test |= words == "cfg(test)";
                    // A link in a documentation comment is no dependency.
                    if !words.starts_with("doc") {
                        collect(attribute, Place { in_attribute: true, ..here }, found);
                    }
                    at += 1;
                }
            }
            [TokenTree::Ident(word), TokenTree::Ident(_), TokenTree::Group(body), ..]
                if word == "mod" && body.delimiter() == Delimiter::Brace =>
            {
                collect(body.stream(), Place { nesting: here.nesting + 1, ..here }, found);
                here.in_test = place.in_test;
                at += 3;
            }
            [TokenTree::Ident(_), ..] => at = collect_path(&tokens, at, &[], here, found),
            [TokenTree::Group(inner), ..] => {
                collect(inner.stream(), here, found);
                if inner.delimiter() == Delimiter::Brace {
                    here.in_test = place.in_test; // the item under `#[cfg(test)]` has ended
                }
                at += 1;
            }
            [TokenTree::Literal(literal), ..] => {
                if here.in_attribute {
                    collect_quoted(&literal.to_string(), literal.span().start().line, here, found);
                }
                at += 1;
            }
            [TokenTree::Punct(mark), ..] => {
                if mark.as_char() == ';' {
                    here.in_test = place.in_test;
                }
                at += 1;
            }
            [] => unreachable!("`at` is below the length"),
        }
    }
}

/// Reads the path, or the tree of a `use`, that begins at `at`; returns where it ends.
fn collect_path(
    tokens: &[TokenTree],
    mut at: usize,
    before: &[String],
    place: Place,
    found: &mut Vec<Named>,
) -> usize {
    let mut segments = before.to_vec();
    let line = tokens[at].span().start().line;
    loop {
        match &tokens[at..] {
            [TokenTree::Ident(segment), ..] => segments.push(segment.to_string()),
            [TokenTree::Punct(star), ..] if star.as_char() == '*' => segments.push("*".to_owned()),
            [TokenTree::Group(branches), ..] if branches.delimiter() == Delimiter::Brace => {
                let branches: Vec<TokenTree> = branches.stream().into_iter().collect();
                let is_comma =
                    |token: &TokenTree| matches!(token, TokenTree::Punct(p) if p.as_char() == ',');
                for branch in branches.split(is_comma).filter(|branch| !branch.is_empty()) {
                    collect_path(branch, 0, &segments, place, found);
                }
                return at + 1;
            }
            _ => break,
        }
        at += 1;
        if !is_double_colon(tokens, at) {
            break;
        }
        at += 2;
    }
    let renamed = matches!(tokens.get(at), Some(TokenTree::Ident(word)) if word == "as");
    found.push(Named { segments, renamed, place, line });
    at
}

/// Reads a path in the text of an attribute: `#[serde(with = "crate::codec")]`.
fn collect_quoted(literal: &str, line: usize, place: Place, found: &mut Vec<Named>) {
    let text = literal.trim_matches('"');
    if !text.contains("::") {
        return;
    }
    let Ok(tokens) = text.parse::<TokenStream>() else {
        return;
    };
    let first = found.len();
    collect(tokens, Place { in_attribute: false, ..place }, found);
    found[first..].iter_mut().for_each(|named| named.line = line);
}

fn group(tokens: &[TokenTree], at: usize, delimiter: Delimiter) -> Option<TokenStream> {
    match tokens.get(at) {
        Some(TokenTree::Group(group)) if group.delimiter() == delimiter => Some(group.stream()),
        _ => None,
    }
}

fn is_double_colon(tokens: &[TokenTree], at: usize) -> bool {
    let is_colon = |token: Option<&TokenTree>| matches!(token, Some(TokenTree::Punct(p)) if p.as_char() == ':');
    is_colon(tokens.get(at)) && is_colon(tokens.get(at + 1))
}

/// Returns the Rust files under `folder` that the crate root `target` does not declare.
///
/// A module `camera` stands in `camera.rs`, its parts in `camera/`; a `mod.rs` is a second way to
/// say so and counts as forgotten, as does a file that only a `#[path]` leads to.
fn undeclared(target: &Path, folder: &Path) -> Vec<PathBuf> {
    let mut declared = BTreeSet::from([target.to_owned()]);
    let file = syn::parse_file(&read(target)).expect("a crate root is Rust");
    declare(&file.items, folder, &mut declared);
    rust_files(folder).into_iter().filter(|file| !declared.contains(file)).collect()
}

fn declare(items: &[syn::Item], folder: &Path, declared: &mut BTreeSet<PathBuf>) {
    for item in items {
        let syn::Item::Mod(module) = item else {
            continue;
        };
        let inside = folder.join(module.ident.to_string());
        if let Some((_, items)) = &module.content {
            declare(items, &inside, declared);
            continue;
        }
        let path = inside.with_extension("rs");
        if path.is_file() {
            let file = syn::parse_file(&read(&path));
            let file = file.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            declared.insert(path);
            declare(&file.items, &inside, declared);
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn is_rust(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "rs")
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let listed =
        std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> =
        listed.map(|entry| entry.expect("a listed entry can be read").path()).collect();
    paths.sort();
    paths
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for path in entries(folder) {
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if is_rust(&path) {
            files.push(path);
        }
    }
    files
}

fn assert_none(found: impl Iterator<Item = String>) {
    let found: Vec<String> = found.collect();
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

/// The checker itself, on small sources: a rule that catches nothing would look the same as a
/// clean tree.
mod on_small_sources {
    use super::*;

    const ORDER: &str =
        "//! Docs.\npub mod low;\n#[cfg(feature = \"x\")]\npub mod mid;\nmod high;\n";

    fn check(module: &str, source: &str, expected: &[&str]) {
        let order = modules_in_order(ORDER);
        let module: Vec<String> = module.split('/').map(str::to_owned).collect();
        assert_eq!(offences(&order, &module, source), expected, "in {module:?}: {source}");
    }

    #[test]
    fn the_order_is_that_of_the_crate_root() {
        assert_eq!(modules_in_order(ORDER), ["low", "mid", "high"]);
    }

    #[test]
    fn an_upward_path_is_caught_wherever_it_stands() {
        for (source, path) in [
            ("use crate::high;", "crate::high"),
            ("use crate::high::a as other;", "crate::high::a"),
            ("use crate::{low, high::{low}};", "crate::high::low"),
            ("pub use crate::high::Thing;", "crate::high::Thing"),
            ("fn f() { crate::high::go(); }", "crate::high::go"),
            ("fn f(x: &crate::high::T<u8>) {}", "crate::high::T"),
            ("fn f() { g::<crate::high::T>() }", "crate::high::T"),
            ("impl crate::high::Door for X {}", "crate::high::Door"),
            ("fn f() { vec![1, crate::high::N]; }", "crate::high::N"),
            ("macro_rules! m { () => { $crate::high::N } }", "crate::high::N"),
            ("#[derive(crate::high::D)] struct X;", "crate::high::D"),
            ("#[serde(with = \"crate::high\")] struct X;", "crate::high"),
            ("pub(in crate::high) struct X;", "crate::high"),
            ("use super::high;", "super::high"),
            ("use self::super::high;", "self::super::high"),
            ("mod a { use super::super::high; }", "super::super::high"),
            ("mod a { fn f() { super::super::high::f() } }", "super::super::high::f"),
            ("#[cfg(test)] mod tests { use crate::high; }", "crate::high"),
        ] {
            check("mid", source, &[&format!("1: {path} stands below")]);
        }
        check("mid/part", "use super::super::high;", &["1: super::super::high stands below"]);
    }

    #[test]
    fn every_offence_is_told_with_its_line() {
        check(
            "low",
            "use crate::{mid, high::a};\n\nfn f() {\n    crate::mid::go();\n}\n",
            &[
                "1: crate::mid stands below",
                "1: crate::high::a stands below",
                "4: crate::mid::go stands below",
            ],
        );
    }

    #[test]
    fn a_way_around_the_map_is_caught() {
        for (source, expected) in [
            ("use crate::*;", "1: crate::* takes all modules at once"),
            ("use super::*;", "1: super::* takes all modules at once"),
            ("use crate as all;", "1: crate gives the crate root another name"),
            ("use super as all;", "1: super gives the crate root another name"),
            ("use crate::{self as all};", "1: crate::self gives the crate root another name"),
            ("extern crate self as all;", "1: self gives the crate root another name"),
            ("use crate::Helper;", "1: crate::Helper is no module of src/lib.rs"),
        ] {
            check("mid", source, &[expected]);
        }
        check("stray", "", &["1: stray is not listed in src/lib.rs"]);
    }

    #[test]
    fn what_stands_above_or_within_may_be_used() {
        for source in [
            "use crate::low;",
            "use crate::{low::{a, b as c}, mid::d};",
            "pub(crate) fn f() -> crate::low::T { crate::mid::f() }",
            "mod tests { use super::*; use super::part::x; }",
            "use self::part::x; use part::high;",
            "fn f() { high::go(); other::crate_high(); vec![low] }",
            "/// Hands over to [`crate::high`].\nfn f() {}",
            "//! See `crate::high::go`.",
            "const TEXT: &str = \"crate::high\";",
            "fn f() { crate::low::LENGTH as usize; }",
        ] {
            check("mid", source, &[]);
        }
        check("mid/part", "use super::other; use super::*;", &[]);
        check("mid/part", "mod tests { use super::super::other; }", &[]);
        check("high", "use crate::{low, mid};", &[]);
    }

    #[test]
    fn asking_for_the_time_is_caught_by_any_name() {
        for (source, asks) in [
            ("fn f() { std::time::SystemTime::now(); }", true),
            ("use std::time::{Duration, SystemTime as Wall};", true),
            ("fn f() { dbg!(SystemTime::now()) }", true),
            ("fn f(d: u64) { UNIX_EPOCH + d; }", true),
            ("use std::time::{Duration, Instant};", false),
            ("/// Not `SystemTime::now`.\nfn f() {}", false),
        ] {
            assert_eq!(named_paths(source).iter().any(Named::is_wall_clock), asks, "{source}");
        }
    }

    #[test]
    fn reaching_outside_is_caught_but_not_in_tests() {
        for (source, count) in [
            ("fn f() { std::fs::read(p); }", 1),
            ("use std::{env, fmt, net::{TcpStream, UdpSocket}};", 3),
            ("use std::fmt; use std::io::Read;", 0),
            ("#[cfg(test)] mod tests { use std::fs; } fn f() { std::thread::spawn(g); }", 1),
            ("#[cfg(test)] use std::fs; use std::net::IpAddr;", 1),
            ("#[cfg(test)] fn f() { std::fs::read(p); } fn g() { std::env::args(); }", 1),
        ] {
            assert_eq!(outside_world(source).len(), count, "{source}");
        }
    }

    #[test]
    fn a_crate_in_the_wrong_module_is_caught() {
        for (module, source, count) in [
            ("store", "use rusqlite::Connection;", 0),
            ("lookup", "fn f(c: &rusqlite::Connection) {}", 1),
            ("checks", "use slint::SharedString;", 1),
            ("view", "use slint::SharedString;", 0),
            ("camera", "fn f() { zstd::decode_all(b) }", 1),
            ("command", "fn f(slint: u8) { slint + 1; }", 0),
            ("matching", "#[cfg(test)] mod tests { use rusqlite::Connection; }", 0),
        ] {
            assert_eq!(misplaced(module, source).len(), count, "{module}: {source}");
        }
    }

    #[test]
    fn a_forgotten_file_is_found() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let folder = folder.path();
        for (name, text) in [
            ("lib.rs", "pub mod a;\n#[cfg(test)] mod inline { mod deep; }"),
            ("a.rs", "mod listed;"),
            ("a/listed.rs", ""),
            ("a/forgotten.rs", ""),
            ("b/mod.rs", ""),
            ("inline/deep.rs", ""),
        ] {
            let path = folder.join(name);
            std::fs::create_dir_all(path.parent().expect("inside the folder")).expect("a folder");
            std::fs::write(&path, text).expect("a file");
        }
        assert_eq!(
            undeclared(&folder.join("lib.rs"), folder),
            [folder.join("a/forgotten.rs"), folder.join("b/mod.rs")]
        );
    }
}
