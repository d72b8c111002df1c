//! Finds packages on what people carry in: a stick, or a folder.
//!
//! Whoever prepared the stick may be an enemy, so nothing is followed and nothing is opened but a
//! regular file: no link, no pipe that would never answer, no device, no folder in a folder. Names
//! and lengths are hints for the screen; what a file is, its signatures tell.
//!
//! Not here: reading a package (`snapshot`), and mounting (the system does).

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags};

/// The folder below a root that is looked into beside the root itself.
pub const FOLDER: &str = "fieldcheck";

/// Most files that are found. Chosen: more than any unit's packages, less than a screen can bear.
pub const MAX_FILES: usize = 64;

/// Longest name of a file. Chosen: twice the longest that `mirror` writes.
pub const MAX_NAME_BYTES: usize = 120;

/// Most entries of one folder that are looked at, whatever they are. Chosen: a stick of holiday
/// pictures is passed over quickly, and one of a million empty files does not hold the device up.
const MAX_ENTRIES: usize = 10_000;

/// Most files that are named as passed over.
const MAX_SKIPPED: usize = MAX_FILES;

/// What a file says it is, by its extension.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A snapshot package, `.fcsnap`.
    Package,
    /// A signed application release, `.fcrelease`.
    Release,
}

impl Kind {
    /// Returns the extension, without the dot.
    pub const fn extension(self) -> &'static str {
        match self {
            Kind::Package => "fcsnap",
            Kind::Release => "fcrelease",
        }
    }

    fn of(name: &[u8]) -> Option<Kind> {
        let extension = Path::new(OsStr::from_bytes(name)).extension()?;
        [Kind::Package, Kind::Release]
            .into_iter()
            .find(|kind| extension.eq_ignore_ascii_case(kind.extension()))
    }
}

/// A regular file that may hold a package or a release.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Carried {
    root: PathBuf,
    in_folder: bool,
    name: String,
    kind: Kind,
    len: u64,
    modified: i64,
}

impl Carried {
    /// Returns what its extension says.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the name of the file: text without control characters.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns where it lies. To read it, [`Carried::open`] follows no link on the way.
    pub fn path(&self) -> PathBuf {
        folder_of(&self.root, self.in_folder).join(&self.name)
    }

    /// Returns its length in bytes, which is not 0.
    #[allow(clippy::len_without_is_empty, reason = "an empty file is not found")]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Returns when the stick says it was written, in Unix seconds: to sort by, not to believe.
    pub fn modified(&self) -> i64 {
        self.modified
    }

    /// Opens the file to read, step by step from the root, if it is a regular file still.
    pub fn open(&self) -> Result<File, Why> {
        let folder = open_folder(&self.root, self.in_folder)?;
        // Nothing waits for the other end of a pipe that has taken the place of the file.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&folder, &self.name, flags, Mode::empty())?;
        let stat = rustix::fs::fstat(&file)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(Why::NotAFile);
        }
        Ok(File::from(file))
    }
}

/// Why something is passed over.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Why {
    /// A symbolic link, which could lead anywhere.
    #[error("it is a link to something else")]
    Link,
    /// A folder, pipe, socket or device by the name of a package.
    #[error("it is no ordinary file")]
    NotAFile,
    /// The name is too long, or no text that can be shown.
    #[error("its name is too long or cannot be shown")]
    Name,
    /// More files, or more in the folder, than are looked at.
    #[error("there are too many files")]
    TooMany,
    /// Nothing in it.
    #[error("it is empty")]
    Empty,
    /// It is not there any more.
    #[error("it is not there any more")]
    Gone,
    /// The system refuses, or the medium is damaged.
    #[error("it cannot be read")]
    NotReadable,
}

impl Why {
    /// Returns the short name, for screens and scripts.
    pub const fn code(self) -> &'static str {
        match self {
            Why::Link => "link",
            Why::NotAFile => "not-a-file",
            Why::Name => "name",
            Why::TooMany => "too-many",
            Why::Empty => "empty",
            Why::Gone => "gone",
            Why::NotReadable => "not-readable",
        }
    }
}

impl From<rustix::io::Errno> for Why {
    fn from(errno: rustix::io::Errno) -> Why {
        use rustix::io::Errno;
        match errno {
            Errno::LOOP => Why::Link,
            Errno::NOENT | Errno::NODEV | Errno::NXIO => Why::Gone,
            Errno::NOTDIR => Why::NotAFile,
            _ => Why::NotReadable,
        }
    }
}

/// Something by the name of a package that is passed over, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Skipped {
    /// Where it lies; the name may hold what no screen should show.
    pub path: PathBuf,
    /// The reason.
    pub why: Why,
}

impl Skipped {
    /// Returns the name with what cannot be shown as escapes, cut to [`MAX_NAME_BYTES`].
    pub fn shown(&self) -> String {
        let name = self.path.file_name().unwrap_or(self.path.as_os_str()).to_string_lossy();
        let mut shown = String::new();
        for c in name.chars() {
            let c = if is_showable(c) { c.to_string() } else { c.escape_unicode().to_string() };
            if shown.len() + c.len() > MAX_NAME_BYTES {
                shown.push('…');
                break;
            }
            shown.push_str(&c);
        }
        shown
    }
}

/// What lies on the sticks.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Found {
    /// Files to read, by root and name.
    pub carried: Vec<Carried>,
    /// What goes by such a name and is none.
    pub skipped: Vec<Skipped>,
}

/// Lists the packages and releases that lie directly in a root or in its folder [`FOLDER`].
///
/// A root is taken as it is given, even through links: a person or the system chose it. Below it
/// nothing is followed.
pub fn find(roots: &[PathBuf]) -> Found {
    let mut found = Found::default();
    for root in roots {
        for in_folder in [false, true] {
            let folder = folder_of(root, in_folder);
            let listed = open_folder(root, in_folder)
                .and_then(|opened| list(&opened, root, in_folder, &mut found));
            match listed {
                // Most sticks have no such folder.
                Err(Why::Gone) if in_folder => {}
                Err(why) => found.skip(folder, why),
                Ok(()) => {}
            }
        }
    }
    found
}

impl Found {
    fn skip(&mut self, path: PathBuf, why: Why) {
        if self.skipped.len() < MAX_SKIPPED {
            self.skipped.push(Skipped { path, why });
        }
    }
}

fn folder_of(root: &Path, in_folder: bool) -> PathBuf {
    if in_folder { root.join(FOLDER) } else { root.to_path_buf() }
}

fn open_folder(root: &Path, in_folder: bool) -> Result<rustix::fd::OwnedFd, Why> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::open(root, flags, Mode::empty())?;
    if !in_folder {
        return Ok(root);
    }
    let opened = rustix::fs::openat(&root, FOLDER, flags | OFlags::NOFOLLOW, Mode::empty());
    opened.map_err(|errno| {
        // Linux says of a link that it is no directory.
        let stat = rustix::fs::statat(&root, FOLDER, AtFlags::SYMLINK_NOFOLLOW);
        match stat.map(|stat| FileType::from_raw_mode(stat.st_mode)) {
            Ok(FileType::Symlink) => Why::Link,
            _ => errno.into(),
        }
    })
}

fn list(
    folder: &rustix::fd::OwnedFd,
    root: &Path,
    in_folder: bool,
    found: &mut Found,
) -> Result<(), Why> {
    let mut names: Vec<(Vec<u8>, Kind)> = Vec::new();
    for (at, entry) in rustix::fs::Dir::read_from(folder)?.enumerate() {
        if at >= MAX_ENTRIES {
            found.skip(folder_of(root, in_folder), Why::TooMany);
            break;
        }
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if let Some(kind) = Kind::of(name) {
            names.push((name.to_vec(), kind));
        }
    }
    names.sort_unstable_by(|left, right| left.0.cmp(&right.0));
    for (name, kind) in names {
        let path = folder_of(root, in_folder).join(OsStr::from_bytes(&name));
        if found.carried.len() >= MAX_FILES {
            found.skip(path, Why::TooMany);
            break;
        }
        match look(folder, &name) {
            Ok((name, len, modified)) => {
                let root = root.to_path_buf();
                found.carried.push(Carried { root, in_folder, name, kind, len, modified });
            }
            Err(why) => found.skip(path, why),
        }
    }
    Ok(())
}

/// Returns name, length and time of a file that may be opened; it is not opened here.
fn look(folder: &rustix::fd::OwnedFd, name: &[u8]) -> Result<(String, u64, i64), Why> {
    let text = std::str::from_utf8(name).map_err(|_| Why::Name)?;
    if text.len() > MAX_NAME_BYTES || !text.chars().all(is_showable) {
        return Err(Why::Name);
    }
    let stat = rustix::fs::statat(folder, text, AtFlags::SYMLINK_NOFOLLOW)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => {}
        FileType::Symlink => return Err(Why::Link),
        _ => return Err(Why::NotAFile),
    }
    match u64::try_from(stat.st_size) {
        Ok(0) | Err(_) => Err(Why::Empty),
        // The type of the seconds differs between systems.
        #[allow(clippy::useless_conversion, reason = "32 bits on some targets")]
        Ok(len) => Ok((text.to_owned(), len, i64::from(stat.st_mtime))),
    }
}

/// Whether a character is shown as what it is: no control character, none that turns the direction
/// of others, none that is invisible.
fn is_showable(c: char) -> bool {
    let turns_or_hides = matches!(
        c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
    );
    !c.is_control() && !turns_or_hides
}

/// A mounted stick.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stick {
    /// Where it is mounted.
    pub folder: PathBuf,
    /// The last part of that, which is most often the stick's own name; can be shown.
    pub label: String,
}

/// Lists what a desktop has mounted of removable media: block devices under `/media`, `/run/media`
/// and `/mnt`. Elsewhere, and where that cannot be told, there are none.
///
/// Assumes: Linux.
pub fn sticks() -> Vec<Stick> {
    let read = || -> io::Result<Vec<u8>> {
        use std::io::Read as _;
        let mut table = Vec::new();
        File::open("/proc/self/mountinfo")?.take(MAX_TABLE_BYTES).read_to_end(&mut table)?;
        Ok(table)
    };
    read().map(|table| mounted(&table)).unwrap_or_default()
}

/// Most that is read of the table of mounts. Chosen: thousands of them.
const MAX_TABLE_BYTES: u64 = 1 << 20;

/// Reads the table of mounts, proc(5): `id parent major:minor root MOUNT-POINT options … - type
/// SOURCE options`.
fn mounted(table: &[u8]) -> Vec<Stick> {
    let mut sticks: Vec<Stick> = Vec::new();
    for line in table.split(|byte| *byte == b'\n') {
        let mut fields = line.split(|byte| *byte == b' ');
        let Some(point) = fields.nth(4).map(unescape) else { continue };
        let Some(source) = fields.skip_while(|field| field != b"-").nth(2) else { continue };
        let folder = PathBuf::from(OsStr::from_bytes(&point));
        let is_new = sticks.iter().all(|stick| stick.folder != folder);
        if source.starts_with(b"/dev/") && is_removable(&folder) && is_new {
            let label = Skipped { path: folder.clone(), why: Why::Name }.shown();
            sticks.push(Stick { folder, label });
        }
    }
    sticks.sort_unstable_by(|left, right| left.folder.cmp(&right.folder));
    sticks
}

/// Where desktops mount what is plugged in: `/media/USER/LABEL`, `/run/media/USER/LABEL`; by hand
/// `/media/LABEL` and `/mnt/LABEL`, or `/mnt` itself.
fn is_removable(folder: &Path) -> bool {
    let depth = |above: &str| folder.strip_prefix(above).ok().map(|rest| rest.iter().count());
    matches!(depth("/media"), Some(1 | 2))
        || depth("/run/media") == Some(2)
        || matches!(depth("/mnt"), Some(0 | 1))
}

/// Undoes `\040` and its like, by which the table writes blanks in names.
fn unescape(field: &[u8]) -> Vec<u8> {
    let octal = |digits: &[u8]| -> Option<u8> {
        let text = std::str::from_utf8(digits.get(..3)?).ok()?;
        u8::from_str_radix(text, 8).ok()
    };
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match octal(after) {
            Some(escaped) if *byte == b'\\' => {
                bytes.push(escaped);
                rest = &after[3..];
            }
            _ => bytes.push(*byte),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read as _;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;

    fn a_stick() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    fn find_in(stick: &tempfile::TempDir) -> Found {
        find(&[stick.path().to_path_buf()])
    }

    fn names(found: &Found) -> Vec<&str> {
        found.carried.iter().map(Carried::name).collect()
    }

    /// Asserts that the one thing found is passed over for this reason.
    #[track_caller]
    fn assert_skipped(found: &Found, why: Why) {
        assert_eq!(found.carried, []);
        let reasons: Vec<Why> = found.skipped.iter().map(|skipped| skipped.why).collect();
        assert_eq!(reasons, [why]);
    }

    #[test]
    fn packages_are_found_in_the_root_and_in_its_folder_and_no_deeper() {
        let stick = a_stick();
        let deep = stick.path().join(FOLDER).join("deep");
        fs::create_dir_all(&deep).unwrap();
        fs::create_dir(stick.path().join("holiday")).unwrap();
        fs::write(stick.path().join("b.fcsnap"), b"22").unwrap();
        fs::write(stick.path().join("a.FCSNAP"), b"1").unwrap();
        fs::write(stick.path().join(FOLDER).join("c.fcrelease"), b"333").unwrap();
        fs::write(deep.join("d.fcsnap"), b"4").unwrap();
        fs::write(stick.path().join("holiday/e.fcsnap"), b"5").unwrap();
        for other in ["f.txt", "g.fcsnap.partial", "fcsnap", "h"] {
            fs::write(stick.path().join(other), b"6").unwrap();
        }
        let found = find_in(&stick);
        assert_eq!(names(&found), ["a.FCSNAP", "b.fcsnap", "c.fcrelease"]);
        assert_eq!(found.skipped, []);
        let [_, package, release] = &found.carried[..] else { panic!("{found:?}") };
        assert_eq!((package.kind(), package.len()), (Kind::Package, 2));
        assert!(package.modified() > 1_700_000_000);
        assert_eq!((release.kind(), release.len()), (Kind::Release, 3));
        assert_eq!(release.path(), stick.path().join("fieldcheck/c.fcrelease"));
        let mut bytes = Vec::new();
        release.open().unwrap().read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, b"333");
    }

    #[test]
    fn a_link_is_not_followed_wherever_it_leads() {
        let stick = a_stick();
        let target = stick.path().join("secret");
        fs::write(&target, b"secret").unwrap();
        symlink(&target, stick.path().join("a.fcsnap")).unwrap();
        assert_skipped(&find_in(&stick), Why::Link);

        let stick = a_stick();
        let elsewhere = a_stick();
        fs::write(elsewhere.path().join("a.fcsnap"), b"1").unwrap();
        symlink(elsewhere.path(), stick.path().join(FOLDER)).unwrap();
        assert_skipped(&find_in(&stick), Why::Link);
    }

    #[test]
    fn a_pipe_a_socket_and_a_folder_are_never_opened() {
        let stick = a_stick();
        let pipe = stick.path().join("a.fcsnap");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, FileType::Fifo, Mode::RUSR, 0).unwrap();
        assert_skipped(&find_in(&stick), Why::NotAFile);

        let stick = a_stick();
        let _socket = UnixListener::bind(stick.path().join("a.fcsnap")).unwrap();
        assert_skipped(&find_in(&stick), Why::NotAFile);

        let stick = a_stick();
        fs::create_dir(stick.path().join("a.fcsnap")).unwrap();
        assert_skipped(&find_in(&stick), Why::NotAFile);
        fs::remove_dir(stick.path().join("a.fcsnap")).unwrap();
        fs::write(stick.path().join(FOLDER), b"no folder").unwrap();
        assert_skipped(&find_in(&stick), Why::NotAFile);
    }

    #[test]
    fn what_takes_the_place_of_a_file_after_it_was_found_is_not_opened() {
        let stick = a_stick();
        let folder = stick.path().join(FOLDER);
        let path = folder.join("a.fcsnap");
        fs::create_dir(&folder).unwrap();
        fs::write(&path, b"1").unwrap();
        let found = find_in(&stick);
        let [carried] = &found.carried[..] else { panic!("{found:?}") };

        fs::remove_file(&path).unwrap();
        assert_eq!(carried.open().unwrap_err(), Why::Gone);
        symlink("/etc/hostname", &path).unwrap();
        assert_eq!(carried.open().unwrap_err(), Why::Link);
        fs::remove_file(&path).unwrap();
        // Would wait for ever if it were opened to read and nothing else.
        rustix::fs::mknodat(rustix::fs::CWD, &path, FileType::Fifo, Mode::RUSR, 0).unwrap();
        assert_eq!(carried.open().unwrap_err(), Why::NotAFile);
        fs::remove_dir_all(&folder).unwrap();
        let elsewhere = a_stick();
        fs::write(elsewhere.path().join("a.fcsnap"), b"1").unwrap();
        symlink(elsewhere.path(), &folder).unwrap();
        assert_eq!(carried.open().unwrap_err(), Why::Link);
    }

    #[test]
    fn names_that_no_screen_should_show_are_escaped() {
        let long = format!("{}.fcsnap", "a".repeat(MAX_NAME_BYTES - 6));
        let check = |name: &[u8], shown: &str| {
            let stick = a_stick();
            fs::write(stick.path().join(OsStr::from_bytes(name)), b"1").unwrap();
            let found = find_in(&stick);
            assert_skipped(&found, Why::Name);
            assert_eq!(found.skipped[0].shown(), shown);
        };
        check(b"a\x1b[2J.fcsnap", "a\\u{1b}[2J.fcsnap");
        check(b"a\n.fcsnap", "a\\u{a}.fcsnap");
        check("a\u{202e}pansc.fcsnap".as_bytes(), "a\\u{202e}pansc.fcsnap");
        check(b"\xff.fcsnap", "\u{fffd}.fcsnap");
        check(long.as_bytes(), &format!("{}…", &long[..MAX_NAME_BYTES]));
    }

    #[test]
    fn an_empty_file_and_a_missing_root_are_named() {
        let stick = a_stick();
        fs::write(stick.path().join("a.fcsnap"), b"").unwrap();
        assert_skipped(&find_in(&stick), Why::Empty);
        assert_skipped(&find(&[stick.path().join("nowhere")]), Why::Gone);
    }

    #[test]
    fn no_more_than_sixty_four_files_are_found_and_the_rest_is_named_once() {
        let stick = a_stick();
        for at in 0..MAX_FILES + 10 {
            fs::write(stick.path().join(format!("{at:03}.fcsnap")), b"1").unwrap();
        }
        let found = find_in(&stick);
        assert_eq!(found.carried.len(), MAX_FILES);
        assert_eq!(found.skipped.len(), 1);
        assert_eq!(
            (found.skipped[0].shown().as_str(), found.skipped[0].why),
            ("064.fcsnap", Why::TooMany)
        );
    }

    #[test]
    fn a_folder_of_very_many_files_is_looked_at_up_to_a_bound() {
        let stick = a_stick();
        for at in 0..=MAX_ENTRIES {
            File::create(stick.path().join(format!("{at}"))).unwrap();
        }
        assert_skipped(&find_in(&stick), Why::TooMany);
    }

    #[test]
    fn sticks_are_what_is_mounted_where_sticks_are_mounted() {
        let table = br"
22 28 0:21 / /proc rw,nosuid shared:13 - proc proc rw
28 1 8:2 / / rw,relatime shared:1 - ext4 /dev/sda2 rw
30 28 8:3 / /home rw shared:2 - ext4 /dev/sda3 rw
41 28 8:17 / /media/chi-huy/TIN\040M\341\272\252U rw,nosuid shared:9 master:2 - vfat /dev/sdb1 rw
42 28 8:33 / /run/media/chi-huy/7F2A-1B rw - exfat /dev/sdc1 rw
43 28 8:49 / /mnt/usb rw - fuseblk /dev/sdd1 rw
44 28 0:55 / /mnt/share rw - nfs4 server:/share rw
45 28 8:65 / /media/a/b/c rw - vfat /dev/sde1 rw
46 28 8:17 / /mnt/usb rw - vfat /dev/sdb1 rw
47 28
not a line";
        let sticks = mounted(table);
        let folders: Vec<&str> =
            sticks.iter().map(|stick| stick.folder.to_str().unwrap()).collect();
        let expected = ["/media/chi-huy/TIN MẪU", "/mnt/usb", "/run/media/chi-huy/7F2A-1B"];
        assert_eq!(folders, expected);
        assert_eq!(sticks[0].label, "TIN MẪU");
        assert_eq!(unescape(br"\134\04\999a\"), br"\\04\999a\");
    }
}
