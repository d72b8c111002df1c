//! Records what a program does to the files of a device, by running it under `strace`.
//!
//! The log is read into [`Operation`]s. Whatever changes a file of the device in a way that is not
//! understood here is an error and not passed over: a cut would be missing without anybody noticing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Output};

/// One step that a power cut can fall before or behind. Paths are below the device's folder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Operation {
    /// A new, empty file.
    Create { path: String },
    /// A new folder.
    MakeFolder { path: String },
    /// Bytes into a file.
    Write { path: String, at: usize, bytes: Vec<u8> },
    /// A file cut off or made longer with zeros.
    SetLength { path: String, length: usize },
    /// Another name, over whatever bears it.
    Rename { from: String, to: String },
    /// A name less.
    Unlink { path: String },
    /// A folder less.
    RemoveFolder { path: String },
    /// The bytes of a file reach the disk.
    Sync { path: String },
    /// The names in a folder reach the disk.
    SyncFolder { path: String },
    /// What the program has told somebody outside: from here on it must be so.
    Promise(String),
}

/// What was recorded of one run.
pub struct Trace {
    pub operations: Vec<Operation>,
    /// The calls that can be made to fail on a file of the device: name, and which one of its name.
    pub calls: Vec<(String, usize)>,
}

/// The calls that change files or say what a later one changes. `strace` knows more names than any
/// one machine has calls: `?` lets it pass over those.
const CALLS: &str = "?open,?openat,?openat2,?creat,write,pwrite64,writev,pwritev,?pwritev2,fsync,fdatasync,\
    sync_file_range,sync,syncfs,ftruncate,truncate,?rename,renameat,renameat2,?unlink,unlinkat,?mkdir,\
    mkdirat,?rmdir,fallocate,lseek,mmap,copy_file_range,sendfile,splice,?link,linkat,?symlink,symlinkat,\
    ioctl";

/// Runs `program` under `strace` and writes the log; `more` are further options.
pub fn strace(log: &Path, more: &[&str], program: &Command) -> Output {
    let mut command = Command::new("strace");
    command.args(["-f", "-y", "-xx", "-s", "16777216", "-e", "signal=none", "-o"]).arg(log);
    command.arg("-e").arg(format!("trace={CALLS}")).args(more);
    command.arg(program.get_program()).args(program.get_args());
    for (name, value) in program.get_envs() {
        command.env(name, value.expect("a variable that is set"));
    }
    command.output().expect("strace is there")
}

/// Says why nothing can be recorded here, or nothing where it can.
pub fn unavailable() -> Option<String> {
    let tried = Command::new("strace").args(["-f", "-o", "/dev/null", "true"]).output();
    match tried {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Some(format!("strace: {error}")),
    }
}

/// Reads a log of what happened in `folder`, which had the files of `before`; what was written to
/// `witness` is a promise.
pub fn read(log: &[u8], before: &Path, folder: &Path, witness: &Path) -> Trace {
    let files = crate::support::all_files(before).into_iter().map(|file| {
        let below = file.strip_prefix(before).expect("a file in the folder");
        bytes_of(&folder.join(below))
    });
    let mut reader = Reader {
        folder: bytes_of(folder),
        witness: bytes_of(witness),
        files: files.collect(),
        ..Reader::default()
    };
    let mut halves: BTreeMap<&str, &str> = BTreeMap::new();
    let text = std::str::from_utf8(log).expect("a log of ASCII");
    for line in text.lines() {
        let (process, rest) = line.split_once(' ').expect("a process in front");
        let rest = rest.trim_start();
        if rest.starts_with("+++") || rest.starts_with("---") {
            continue;
        }
        if let Some(begun) = rest.strip_suffix(" <unfinished ...>") {
            halves.insert(process, begun);
        } else if let Some((_, end)) =
            rest.strip_prefix("<... ").and_then(|r| r.split_once(" resumed>"))
        {
            let begun = halves.remove(process).expect("the first half of a call");
            reader.call(process, &format!("{begun}{end}"));
        } else {
            reader.call(process, rest);
        }
    }
    Trace { operations: reader.operations, calls: reader.calls }
}

/// What the log has told so far.
#[derive(Default)]
struct Reader {
    folder: Vec<u8>,
    witness: Vec<u8>,
    /// The files there are now, by their whole paths.
    files: BTreeSet<Vec<u8>>,
    /// Where the next `write` goes, by descriptor and path.
    offsets: BTreeMap<(String, Vec<u8>), usize>,
    /// How often each process has made each call.
    counts: BTreeMap<(String, String), usize>,
    operations: Vec<Operation>,
    calls: Vec<(String, usize)>,
}

impl Reader {
    fn call(&mut self, process: &str, call: &str) {
        let (name, rest) = call.split_once('(').expect("a call");
        let count = self.counts.entry((process.to_owned(), name.to_owned())).or_default();
        *count += 1;
        let count = *count;
        let (arguments, outcome) = rest.rsplit_once(" = ").expect("an outcome");
        if outcome.starts_with('-') || outcome.starts_with('?') {
            return;
        }
        let arguments = arguments.trim_end();
        let arguments = arguments.strip_suffix(')').expect("the end of the arguments");
        let arguments: Vec<&str> = arguments.split(", ").collect();
        let before = self.operations.len();
        self.understand(name, &arguments, outcome);
        let is_counted = self.operations[before..]
            .iter()
            .any(|operation| !matches!(operation, Operation::Promise(_)));
        if is_counted {
            self.calls.push((name.to_owned(), count));
        }
    }

    fn understand(&mut self, name: &str, arguments: &[&str], outcome: &str) {
        match name {
            "openat" | "open" => {
                let (flags, path) = match name {
                    "open" => (arguments[1], string(arguments[0])),
                    _ => (arguments[2], path_at(arguments[0], arguments[1])),
                };
                self.opened(path, flags, outcome);
            }
            "write" => {
                let Some(Descriptor { number, path }) = self.descriptor(arguments[0]) else {
                    return;
                };
                let bytes = written(arguments[1], outcome);
                if path == self.witness {
                    let text = String::from_utf8(bytes).expect("text");
                    self.operations.push(Operation::Promise(text.trim_end().to_owned()));
                    return;
                }
                let at = self.offsets.entry((number, path.clone())).or_default();
                let start = *at;
                *at += bytes.len();
                self.write(&path, start, bytes);
            }
            "pwrite64" => {
                let Some(Descriptor { path, .. }) = self.descriptor(arguments[0]) else { return };
                let at = arguments[3].parse().expect("an offset");
                self.write(&path, at, written(arguments[1], outcome));
            }
            "lseek" => {
                let Some(Descriptor { number, path }) = self.descriptor(arguments[0]) else {
                    return;
                };
                self.offsets.insert((number, path), outcome.trim().parse().expect("an offset"));
            }
            "fsync" | "fdatasync" => {
                let Some(Descriptor { path, .. }) = self.descriptor(arguments[0]) else { return };
                let is_file = self.files.contains(&path);
                let Some(path) = self.below(&path) else { return };
                self.operations.push(match is_file {
                    true => Operation::Sync { path },
                    false => Operation::SyncFolder { path },
                });
            }
            "ftruncate" => {
                let Some(Descriptor { path, .. }) = self.descriptor(arguments[0]) else { return };
                let Some(path) = self.below(&path) else { return };
                let length = arguments[1].parse().expect("a length");
                self.operations.push(Operation::SetLength { path, length });
            }
            "rename" => self.rename(string(arguments[0]), string(arguments[1])),
            "renameat" | "renameat2" => {
                let from = path_at(arguments[0], arguments[1]);
                self.rename(from, path_at(arguments[2], arguments[3]));
            }
            "unlink" => self.unlink(string(arguments[0])),
            "unlinkat" if arguments[2] == "0" => self.unlink(path_at(arguments[0], arguments[1])),
            "unlinkat" => self.remove_folder(path_at(arguments[0], arguments[1])),
            "rmdir" => self.remove_folder(string(arguments[0])),
            "mkdir" => self.make_folder(string(arguments[0])),
            "mkdirat" => self.make_folder(path_at(arguments[0], arguments[1])),
            "mmap" => {
                let is_shared = arguments[3].contains("MAP_SHARED");
                let is_written = arguments[2].contains("PROT_WRITE");
                if is_shared && is_written && self.descriptor(arguments[4]).is_some() {
                    panic!("a file of the device is written through mmap: {arguments:?}");
                }
            }
            // Nothing of these is used; were it, it would have to be understood first.
            _ => {
                let concerns = |argument: &&str| {
                    let paths = [descriptor(argument).map(|it| it.path), quoted(argument)];
                    paths.into_iter().flatten().any(|path| self.below(&path).is_some())
                };
                let asks = name == "ioctl" && !arguments.iter().any(|it| it.contains("CLONE"));
                if !asks && arguments.iter().any(concerns) || name == "sync" {
                    panic!("{name} on a file of the device is not understood: {arguments:?}");
                }
            }
        }
    }

    fn opened(&mut self, path: Vec<u8>, flags: &str, outcome: &str) {
        let Some(shown) = self.below(&path) else { return };
        let number = descriptor(outcome.trim()).expect("a descriptor").number;
        assert!(!flags.contains("O_APPEND"), "appending is not understood");
        self.offsets.insert((number, path.clone()), 0);
        if flags.contains("O_CREAT") && !self.files.contains(&path) {
            self.files.insert(path);
            self.operations.push(Operation::Create { path: shown });
        } else if flags.contains("O_TRUNC") {
            self.operations.push(Operation::SetLength { path: shown, length: 0 });
        }
    }

    fn write(&mut self, path: &[u8], at: usize, bytes: Vec<u8>) {
        if let Some(path) = self.below(path) {
            self.operations.push(Operation::Write { path, at, bytes });
        }
    }

    fn rename(&mut self, from: Vec<u8>, to: Vec<u8>) {
        match (self.below(&from), self.below(&to)) {
            (None, None) => {}
            (Some(shown_from), Some(shown_to)) => {
                assert!(self.files.remove(&from), "renaming a folder is not understood");
                self.files.insert(to);
                self.operations.push(Operation::Rename { from: shown_from, to: shown_to });
            }
            _ => panic!("a file came into the device's folder, or left it"),
        }
    }

    fn unlink(&mut self, path: Vec<u8>) {
        let was_there = self.files.remove(&path);
        if let Some(path) = self.below(&path) {
            assert!(was_there, "{path} was not there");
            self.operations.push(Operation::Unlink { path });
        }
    }

    fn make_folder(&mut self, path: Vec<u8>) {
        if let Some(path) = self.below(&path) {
            self.operations.push(Operation::MakeFolder { path });
        }
    }

    fn remove_folder(&mut self, path: Vec<u8>) {
        if let Some(path) = self.below(&path) {
            self.operations.push(Operation::RemoveFolder { path });
        }
    }

    /// The descriptor, where it is one of a file of the device, or of the witness, that still has
    /// its name.
    fn descriptor(&self, argument: &str) -> Option<Descriptor> {
        let found = descriptor(argument)?;
        let is_named = !argument.ends_with("(deleted)");
        let concerns = self.below(&found.path).is_some() || found.path == self.witness;
        (is_named && concerns).then_some(found)
    }

    /// The path below the device's folder, empty for the folder itself. What SQLite shares between
    /// processes (`-shm`) is made anew after a restart and is not part of the device's state.
    fn below(&self, path: &[u8]) -> Option<String> {
        let below = path.strip_prefix(self.folder.as_slice())?;
        let below = match below {
            [] => below,
            [b'/', below @ ..] => below,
            _ => return None,
        };
        let below = String::from_utf8(below.to_vec()).expect("a name of ASCII");
        (!below.ends_with("-shm")).then_some(below)
    }
}

struct Descriptor {
    number: String,
    path: Vec<u8>,
}

/// Reads `3<\x2f…>`, perhaps with `(deleted)` behind it.
fn descriptor(argument: &str) -> Option<Descriptor> {
    let (number, rest) = argument.split_once('<')?;
    let (path, _) = rest.split_once('>')?;
    Some(Descriptor { number: number.to_owned(), path: unescaped(path)? })
}

/// Reads `"\x2f…"`.
fn quoted(argument: &str) -> Option<Vec<u8>> {
    unescaped(argument.strip_prefix('"')?.strip_suffix('"')?)
}

fn string(argument: &str) -> Vec<u8> {
    quoted(argument).unwrap_or_else(|| panic!("no whole string: {argument:.80}"))
}

/// Reads what was written of a buffer: as many bytes as the call says.
fn written(argument: &str, outcome: &str) -> Vec<u8> {
    let mut bytes = string(argument);
    let count: usize = outcome.split(' ').next().and_then(|it| it.parse().ok()).expect("a count");
    assert!(count <= bytes.len(), "the log holds less than was written");
    bytes.truncate(count);
    bytes
}

fn path_at(folder: &str, path: &str) -> Vec<u8> {
    let path = string(path);
    if path.first() == Some(&b'/') {
        return path;
    }
    let folder = descriptor(folder).expect("a folder").path;
    [folder.as_slice(), b"/", path.as_slice()].concat()
}

fn unescaped(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    text.as_bytes()
        .chunks(4)
        .map(|escape| match escape {
            [b'\\', b'x', high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        })
        .collect()
}

fn bytes_of(path: &Path) -> Vec<u8> {
    use std::os::unix::ffi::OsStrExt as _;
    path.as_os_str().as_bytes().to_vec()
}

/// Reads a log in which `D` stands for the device's folder, and strings are not escaped yet.
fn read_log(log: &str) -> Vec<Operation> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("old"), b"").unwrap();
    let escaped = |text: &str| {
        let text = text.replace('D', folder.path().to_str().unwrap());
        text.bytes().map(|byte| format!("\\x{byte:02x}")).collect::<String>()
    };
    let mut told = String::new();
    for (at, part) in log.split('"').enumerate() {
        // Every second part stands between quotes.
        match at % 2 {
            0 => told.push_str(part),
            _ => told.push_str(&format!("\"{}\"", escaped(part))),
        }
    }
    let mut log = String::new();
    for (at, part) in told.split(['{', '}']).enumerate() {
        match at % 2 {
            0 => log.push_str(part),
            _ => log.push_str(&format!("<{}>", escaped(part))),
        }
    }
    let witness = folder.path().with_extension("witness");
    read(log.as_bytes(), folder.path(), folder.path(), &witness).operations
}

#[test]
fn a_log_is_read_call_by_call() {
    let operations = read_log(
        "7 openat(AT_FDCWD{D}, \"D/new\", O_RDWR|O_CREAT, 0600) = 3{D/new}\n\
         7 write(3{D/new}, \"abc\", 3) = 2\n\
         7 write(3{D/new}, \"c\", 1 <unfinished ...>\n\
         8 openat(AT_FDCWD{D}, \"D/none\", O_RDWR) = -1 ENOENT (No such file or directory)\n\
         7 <... write resumed>) = 1\n\
         7 pwrite64(3{D/new}, \"z\", 1, 40) = 1\n\
         7 fsync(3{D/new}) = 0\n\
         7 rename(\"D/new\", \"D/old\") = 0\n\
         7 fsync(4{D}) = 0\n\
         7 write(3{D/old}(deleted), \"lost\", 4) = 4\n\
         7 unlink(\"D/old\") = 0\n\
         7 +++ exited with 0 +++\n",
    );
    let path = |name: &str| name.to_owned();
    assert_eq!(
        operations,
        [
            Operation::Create { path: path("new") },
            Operation::Write { path: path("new"), at: 0, bytes: b"ab".to_vec() },
            Operation::Write { path: path("new"), at: 2, bytes: b"c".to_vec() },
            Operation::Write { path: path("new"), at: 40, bytes: b"z".to_vec() },
            Operation::Sync { path: path("new") },
            Operation::Rename { from: path("new"), to: path("old") },
            Operation::SyncFolder { path: String::new() },
            Operation::Unlink { path: path("old") },
        ]
    );
}

#[test]
fn a_call_that_is_not_understood_is_not_passed_over() {
    for log in [
        "7 fallocate(3{D/old}, 0, 0, 10) = 0\n",
        "7 writev(3{D/old}, [iov], 1) = 4\n",
        "7 mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_SHARED, 3{D/old}, 0) = 0x7f\n",
        "7 rename(\"D/old\", \"/elsewhere\") = 0\n",
    ] {
        let refused = std::panic::catch_unwind(|| read_log(log));
        assert!(refused.is_err(), "{log}");
    }
    assert_eq!(read_log("7 mmap(NULL, 4096, PROT_READ, MAP_SHARED, 3{D/old}, 0) = 0x7f\n"), []);
}
