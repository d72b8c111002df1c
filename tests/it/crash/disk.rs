//! A disk whose power can fail: what is sure after each operation, and what a cut may leave.
//!
//! Two file systems are played. On the one ([`Names::Journalled`], like ext4) names reach the disk in
//! the order in which they were given, and with whatever is synced next. On the other
//! ([`Names::Loose`], all that POSIX promises) each new name is lost or kept by itself until its folder
//! is synced. On both, bytes that were not synced are lost or kept sector by sector.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use sync_format::v1::package::sha256;

use super::random::Random;
use super::trace::Operation;

/// What a disk writes whole or not at all.
const SECTOR: usize = 512;

/// How names reach the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Names {
    Journalled,
    Loose,
}

/// What a cut leaves of names that were not synced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeptNames {
    None,
    All,
    /// The first ones, or any, as the file system does.
    Some,
}

/// What a cut leaves of bytes that were not synced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeptBytes {
    None,
    All,
    /// All but the end of the last write, torn at a sector.
    Torn,
    /// Of every file some sectors.
    Sectors,
    /// Of each file nothing, everything, some sectors or a torn end: the second such draw, and so on.
    Mixed(u8),
}

/// One way in which a cut after some operation can go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cut {
    /// After so many operations.
    pub after: usize,
    pub names: Names,
    pub kept_names: KeptNames,
    pub kept_bytes: KeptBytes,
}

impl Cut {
    /// All ways in which a cut after `after` operations can go.
    pub fn all(after: usize) -> impl Iterator<Item = Cut> {
        use KeptBytes::{All, Mixed, None, Sectors, Torn};
        let kept_bytes = [All, None, Torn, Sectors, Mixed(0), Mixed(1), Mixed(2)];
        // The death of the program alone, of which everything is kept, is among them.
        [Names::Journalled, Names::Loose].into_iter().flat_map(move |names| {
            [KeptNames::All, KeptNames::None, KeptNames::Some].into_iter().flat_map(
                move |kept_names| {
                    kept_bytes.map(|kept_bytes| Cut { after, names, kept_names, kept_bytes })
                },
            )
        })
    }

    fn random(self, salt: u64) -> Random {
        let modes = format!("{:?}{:?}{:?}", self.names, self.kept_names, self.kept_bytes);
        let hash = sha256(modes.as_bytes());
        let mode = u64::from_le_bytes(hash[..8].try_into().expect("eight bytes"));
        Random::new(mode ^ (self.after as u64).wrapping_mul(0x9E37_79B9) ^ salt)
    }
}

/// The files that a cut leaves, by their paths; a folder has no bytes.
pub struct Image {
    entries: BTreeMap<String, Option<Content>>,
}

#[derive(Clone)]
struct Content {
    bytes: Arc<Vec<u8>>,
    hash: [u8; 32],
}

impl Content {
    fn of(bytes: Vec<u8>) -> Content {
        Content { hash: sha256(&bytes), bytes: Arc::new(bytes) }
    }
}

impl Image {
    /// Tells two images apart.
    pub fn hash(&self) -> [u8; 32] {
        let mut told = Vec::new();
        for (path, content) in &self.entries {
            told.extend(path.bytes());
            told.push(u8::from(content.is_some()));
            told.extend(content.iter().flat_map(|content| content.hash));
        }
        sha256(&told)
    }

    /// Writes the files to `folder`, in place of all that was there.
    pub fn write(&self, folder: &Path) {
        if folder.exists() {
            std::fs::remove_dir_all(folder).expect("an empty place");
        }
        std::fs::create_dir_all(folder).expect("a folder");
        for (path, content) in &self.entries {
            let path = folder.join(path);
            match content {
                None => std::fs::create_dir_all(path).expect("a folder"),
                Some(content) => std::fs::write(path, &*content.bytes).expect("a file"),
            }
        }
    }
}

/// A change of a file's bytes that is not sure yet.
#[derive(Clone)]
enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Length(usize),
}

#[derive(Default)]
struct File {
    now: Vec<u8>,
    sure: Vec<u8>,
    pending: Vec<Change>,
    now_content: OnceCell<Content>,
    sure_content: OnceCell<Content>,
}

impl File {
    fn change(&mut self, change: Change) {
        keep(&mut self.now, &change, |_| true);
        self.now_content.take();
        self.pending.push(change);
    }

    fn sync(&mut self) {
        self.sure.clone_from(&self.now);
        self.sure_content = self.now_content.clone();
        self.pending.clear();
    }

    fn all(&self) -> Content {
        self.now_content.get_or_init(|| Content::of(self.now.clone())).clone()
    }

    fn none(&self) -> Content {
        self.sure_content.get_or_init(|| Content::of(self.sure.clone())).clone()
    }

    /// Everything but the end of the last write.
    fn torn(&self, random: &mut Random) -> Content {
        let Some((last, before)) = self.pending.split_last() else { return self.all() };
        let mut bytes = self.sure.clone();
        before.iter().for_each(|change| keep(&mut bytes, change, |_| true));
        if let Change::Write { at, bytes: written } = last {
            let (first, end) = (at / SECTOR, (at + written.len()).div_ceil(SECTOR));
            let torn_at = first + random.below((end - first).max(1) as u64) as usize;
            keep(&mut bytes, last, |sector| sector < torn_at);
        }
        Content::of(bytes)
    }

    fn sectors(&self, random: &mut Random) -> Content {
        let mut bytes = self.sure.clone();
        let kept_of_8 = [1, 4, 7][random.below(3) as usize];
        for change in &self.pending {
            keep(&mut bytes, change, |_| random.below(8) < kept_of_8);
        }
        // A file may have its new length before its new bytes.
        if random.below(2) == 0 {
            bytes.resize(self.now.len(), 0);
        }
        Content::of(bytes)
    }
}

/// Makes a change to `bytes`, as far as `kept` says of its sectors that they reached the disk.
fn keep(bytes: &mut Vec<u8>, change: &Change, mut kept: impl FnMut(usize) -> bool) {
    match change {
        Change::Length(length) if kept(length / SECTOR) => bytes.resize(*length, 0),
        Change::Length(_) => {}
        Change::Write { at, bytes: written } => {
            let end = at + written.len();
            let mut start = *at;
            while start < end {
                let stop = ((start / SECTOR + 1) * SECTOR).min(end);
                if kept(start / SECTOR) {
                    if bytes.len() < stop {
                        bytes.resize(stop, 0);
                    }
                    bytes[start..stop].copy_from_slice(&written[start - at..stop - at]);
                }
                start = stop;
            }
        }
    }
}

/// What a name stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Entry {
    Folder,
    /// The file with this number; a file keeps its number when it is renamed.
    File(usize),
}

/// A change of names that is not sure yet; each by itself happens or does not.
enum Naming {
    Link { path: String, entry: Entry },
    Unlink { path: String, entry: Entry },
    Rename { from: String, to: String, entry: Entry },
}

impl Naming {
    fn apply(&self, entries: &mut BTreeMap<String, Entry>) {
        let mut remove = |path: &String, entry: &Entry| {
            // With an earlier change lost, the name may stand for something else.
            if entries.get(path) == Some(entry) {
                entries.remove(path);
            }
        };
        match self {
            Naming::Unlink { path, entry } => remove(path, entry),
            Naming::Link { path, entry } => {
                entries.insert(path.clone(), *entry);
            }
            Naming::Rename { from, to, entry } => {
                remove(from, entry);
                entries.insert(to.clone(), *entry);
            }
        }
    }

    fn is_in(&self, folder: &str) -> bool {
        match self {
            Naming::Link { path, .. } | Naming::Unlink { path, .. } => parent(path) == folder,
            Naming::Rename { from, to, .. } => {
                assert_eq!(parent(from), parent(to), "renaming across folders is not understood");
                parent(to) == folder
            }
        }
    }
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// The disk at one moment of a run.
pub struct Disk {
    kind: Names,
    files: Vec<File>,
    now: BTreeMap<String, Entry>,
    sure: BTreeMap<String, Entry>,
    pending: Vec<Naming>,
    last_written: Option<usize>,
    done: usize,
}

impl Disk {
    /// The disk that holds what is in `folder`, all of it sure.
    pub fn holding(folder: &Path, kind: Names) -> Disk {
        let mut disk = Disk {
            kind,
            files: Vec::new(),
            now: BTreeMap::new(),
            sure: BTreeMap::new(),
            pending: Vec::new(),
            last_written: None,
            done: 0,
        };
        disk.add(folder, "");
        disk.sure = disk.now.clone();
        disk
    }

    fn add(&mut self, folder: &Path, below: &str) {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let entry = entry.expect("an entry");
            let name = entry.file_name().into_string().expect("a name of ASCII");
            let path = if below.is_empty() { name } else { format!("{below}/{name}") };
            if entry.path().is_dir() {
                self.now.insert(path.clone(), Entry::Folder);
                self.add(&entry.path(), &path);
            } else if !path.ends_with("-shm") {
                let bytes = std::fs::read(entry.path()).expect("a file");
                self.files.push(File { now: bytes.clone(), sure: bytes, ..File::default() });
                self.now.insert(path, Entry::File(self.files.len() - 1));
            }
        }
    }

    pub fn apply(&mut self, operation: &Operation) {
        self.done += 1;
        match operation {
            Operation::Promise(_) => {}
            Operation::Create { path } => {
                self.files.push(File::default());
                let entry = Entry::File(self.files.len() - 1);
                self.name(Naming::Link { path: path.clone(), entry });
            }
            Operation::MakeFolder { path } => {
                self.name(Naming::Link { path: path.clone(), entry: Entry::Folder });
            }
            Operation::Write { path, at, bytes } => {
                self.change(path, Change::Write { at: *at, bytes: bytes.clone() });
            }
            Operation::SetLength { path, length } => self.change(path, Change::Length(*length)),
            Operation::Rename { from, to } => {
                let entry = self.now[from];
                self.name(Naming::Rename { from: from.clone(), to: to.clone(), entry });
            }
            Operation::Unlink { path } | Operation::RemoveFolder { path } => {
                let entry = self.now[path];
                self.name(Naming::Unlink { path: path.clone(), entry });
            }
            Operation::Sync { path } => {
                let file = self.number(path);
                self.files[file].sync();
                if self.kind == Names::Journalled {
                    self.sync_names(|_| true);
                }
            }
            Operation::SyncFolder { path } => match self.kind {
                Names::Journalled => self.sync_names(|_| true),
                Names::Loose => self.sync_names(|naming| naming.is_in(path)),
            },
        }
    }

    fn number(&self, path: &str) -> usize {
        match self.now.get(path) {
            Some(Entry::File(number)) => *number,
            _ => panic!("{path} is no file"),
        }
    }

    fn change(&mut self, path: &str, change: Change) {
        let number = self.number(path);
        self.last_written = Some(number);
        self.files[number].change(change);
    }

    fn name(&mut self, naming: Naming) {
        naming.apply(&mut self.now);
        self.pending.push(naming);
    }

    fn sync_names(&mut self, reached: impl Fn(&Naming) -> bool) {
        let (sure, pending) = self.pending.drain(..).partition(reached);
        self.pending = pending;
        let sure: Vec<Naming> = sure;
        sure.iter().for_each(|naming| naming.apply(&mut self.sure));
    }

    /// What is found after a cut at this moment.
    pub fn image(&self, cut: Cut, seed: u64) -> Image {
        let mut random = cut.random(seed);
        let entries = match cut.kept_names {
            KeptNames::All => self.now.clone(),
            KeptNames::None => self.sure.clone(),
            KeptNames::Some => {
                let mut entries = self.sure.clone();
                let first = random.below(self.pending.len() as u64 + 1) as usize;
                for (at, naming) in self.pending.iter().enumerate() {
                    let is_kept = match self.kind {
                        Names::Journalled => at < first,
                        Names::Loose => random.below(2) == 0,
                    };
                    if is_kept {
                        naming.apply(&mut entries);
                    }
                }
                entries
            }
        };
        // A file whose folder was lost is lost with it.
        let found = |path: &str| parent(path).is_empty() || entries.contains_key(parent(path));
        let entries = entries.iter().filter(|(path, _)| found(path)).map(|(path, entry)| {
            let content = match entry {
                Entry::Folder => None,
                Entry::File(number) => Some(self.content(*number, cut.kept_bytes, &mut random)),
            };
            (path.clone(), content)
        });
        Image { entries: entries.collect() }
    }

    fn content(&self, number: usize, kept: KeptBytes, random: &mut Random) -> Content {
        let file = &self.files[number];
        if file.pending.is_empty() {
            return file.all();
        }
        match kept {
            KeptBytes::All => file.all(),
            KeptBytes::None => file.none(),
            KeptBytes::Torn if self.last_written == Some(number) => file.torn(random),
            KeptBytes::Torn => file.all(),
            KeptBytes::Sectors => file.sectors(random),
            KeptBytes::Mixed(_) => match random.below(4) {
                0 => file.all(),
                1 => file.none(),
                2 => file.torn(random),
                _ => file.sectors(random),
            },
        }
    }
}

/// A disk that holds one file, `a`, with these bytes.
fn holding(bytes: &[u8], kind: Names) -> Disk {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a"), bytes).unwrap();
    Disk::holding(folder.path(), kind)
}

/// The files that a cut can leave, `-` for one that is not there, in all the ways of 20 seeds.
fn left(disk: &Disk, paths: &[&str]) -> std::collections::BTreeSet<Vec<String>> {
    let cuts = (0..20).flat_map(|seed| Cut::all(disk.done).map(move |cut| (cut, seed)));
    cuts.filter(|(cut, _)| cut.names == disk.kind)
        .map(|(cut, seed)| {
            let image = disk.image(cut, seed);
            let shown = paths.iter().map(|path| match image.entries.get(*path) {
                Some(Some(content)) => String::from_utf8_lossy(&content.bytes).into_owned(),
                _ => "-".to_owned(),
            });
            shown.collect()
        })
        .collect()
}

fn write(path: &str, at: usize, bytes: &[u8]) -> Operation {
    Operation::Write { path: path.to_owned(), at, bytes: bytes.to_vec() }
}

#[test]
fn what_was_not_synced_may_be_lost_and_what_was_may_not() {
    for kind in [Names::Journalled, Names::Loose] {
        let mut disk = holding(b"old", kind);
        disk.apply(&write("a", 0, b"new"));
        let found = left(&disk, &["a"]);
        assert_eq!(found, [["old"], ["new"]].map(|it| it.map(String::from).to_vec()).into());
        disk.apply(&Operation::Sync { path: "a".into() });
        assert_eq!(left(&disk, &["a"]), [vec!["new".to_owned()]].into());
    }
}

#[test]
fn sectors_of_one_write_are_lost_by_themselves() {
    let mut disk = holding(&[b'o'; 3 * SECTOR], Names::Loose);
    disk.apply(&write("a", 100, &[b'n'; 2 * SECTOR]));
    let found = left(&disk, &["a"]);
    let kept = |bytes: &str| {
        [0, 1, 2].map(|sector| bytes.as_bytes()[sector * SECTOR..][..SECTOR].contains(&b'n'))
    };
    let patterns: std::collections::BTreeSet<_> = found.iter().map(|it| kept(&it[0])).collect();
    assert_eq!(patterns.len(), 8, "{patterns:?}");
    assert_eq!(found.len(), 8, "a sector is never torn");
}

#[test]
fn a_new_name_is_sure_when_its_folder_is_synced() {
    let rename = Operation::Rename { from: "b".into(), to: "a".into() };
    let steps = [Operation::Create { path: "b".into() }, write("b", 0, b"new")];
    let sync = Operation::Sync { path: "b".into() };
    let run = |kind, with_sync: bool| {
        let mut disk = holding(b"old", kind);
        steps.iter().for_each(|step| disk.apply(step));
        if with_sync {
            disk.apply(&sync);
        }
        disk.apply(&rename);
        disk
    };
    let shown = |rows: &[[&str; 2]]| rows.iter().map(|it| it.map(String::from).to_vec()).collect();
    let disk = run(Names::Journalled, true);
    assert_eq!(left(&disk, &["a", "b"]), shown(&[["old", "new"], ["new", "-"]]));
    let mut disk = run(Names::Loose, true);
    // Its first name is not sure either, so the file may be under neither.
    assert_eq!(left(&disk, &["a", "b"]), shown(&[["old", "new"], ["old", "-"], ["new", "-"]]));
    disk.apply(&Operation::SyncFolder { path: String::new() });
    assert_eq!(left(&disk, &["a", "b"]), shown(&[["new", "-"]]));

    // Renamed before its bytes were synced, the name may come without them.
    assert!(left(&run(Names::Journalled, false), &["a"]).contains(&vec![String::new()]));
}
