//! Where the rows of a snapshot come from: a CSV file, a database or a folder, and what is said of rows
//! that were refused.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use sync_format::v1::notice::Notice;
use sync_format::v1::register::TagKey;

use super::{files, postgres, progress};
use crate::snapshot::source::{
    self, AnchorFile, Lapsed, NOTICE_COLUMNS, REGISTER_COLUMNS, ReadAnchors, Refusals, RefusedRow,
    Regions, SealedRows, SourceError,
};

/// Where rows are read.
#[derive(Args, Clone)]
pub(super) struct Input {
    /// CSV file with a header; of anchors, the folder of their files
    #[arg(long = "in", value_name = "CSV|DIR", required_unless_present = "from")]
    path: Option<PathBuf>,
    /// PostgreSQL on this machine, such as postgres://USER@localhost/DATABASE; the password stands in
    /// PGPASSFILE. Read are the columns of the dataset, from the view fieldcheck.notices or
    /// fieldcheck.register, `birth` as text
    #[arg(long, value_name = "URL", conflicts_with = "path")]
    from: Option<String>,
    /// Query that has these columns, instead of the view
    #[arg(long, value_name = "SQL", requires = "from")]
    query: Option<String>,
}

impl Input {
    /// Rows of a CSV file, or the files of a folder.
    pub(super) fn path(path: &Path) -> Input {
        Input { path: Some(path.to_owned()), from: None, query: None }
    }

    /// Returns the name of the source for people, which holds no password.
    pub(super) fn name(&self) -> String {
        match (&self.path, &self.from) {
            (Some(path), _) => path.display().to_string(),
            (None, Some(url)) => postgres::name(url),
            (None, None) => "no source".to_owned(),
        }
    }

    /// Reads the anchors of a folder; files that another repeats are named in the answer.
    pub(super) fn read_anchors(&self) -> anyhow::Result<ReadAnchors> {
        let Some(folder) = &self.path else {
            anyhow::bail!("anchors are files of a folder: name it by --in");
        };
        read_anchors(folder)
    }

    /// Gives the rows to `take` as CSV; what goes wrong is said of this source.
    fn read<T>(
        &self,
        rows: RowsOf,
        take: impl FnOnce(&mut dyn Read) -> Result<T, SourceError>,
    ) -> anyhow::Result<T> {
        let take = |reader: &mut dyn Read| Ok(take(reader)?);
        match (&self.path, &self.from) {
            (Some(path), _) => read_file(path, take),
            (None, Some(url)) => {
                let question = question(rows, self.query.as_deref());
                postgres::read(url, &question, take).with_context(|| self.name())
            }
            (None, None) => anyhow::bail!("neither --in nor --from names a source"),
        }
    }
}

/// Longest file of anchors that is worth reading, bytes: a bundle in PEM of all that one chunk holds.
const MAX_ANCHOR_FILE_BYTES: u64 = 12 << 20;

/// Most files of a folder of anchors. Chosen: ten times as many as the world has.
const MAX_ANCHOR_FILES: usize = 10_000;

/// Reads a folder of anchors; what goes wrong is said of it.
pub(super) fn read_anchors(folder: &Path) -> anyhow::Result<ReadAnchors> {
    let named = || folder.display().to_string();
    let files = anchor_files(folder).with_context(named)?;
    source::read_anchors(files).with_context(named)
}

/// Most bytes of a folder of anchors: whoever names another folder by mistake is told, and its files
/// are not all read. Chosen: four times what a package can hold.
const MAX_ANCHOR_FOLDER_BYTES: usize = 256 << 20;

/// Reads the files of a folder. A folder in it is none of them, and so is what would never end.
fn anchor_files(folder: &Path) -> anyhow::Result<Vec<AnchorFile>> {
    let (mut anchors, mut total) = (Vec::new(), 0);
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !std::fs::metadata(&path).with_context(|| name.clone())?.is_file() {
            anyhow::bail!("{name}: this is no file");
        }
        if anchors.len() == MAX_ANCHOR_FILES {
            anyhow::bail!("more than {MAX_ANCHOR_FILES} files");
        }
        let bytes = files::read(&path, MAX_ANCHOR_FILE_BYTES)?.to_vec();
        total += bytes.len();
        if total > MAX_ANCHOR_FOLDER_BYTES {
            anyhow::bail!("the files are longer than {MAX_ANCHOR_FOLDER_BYTES} bytes");
        }
        anchors.push(AnchorFile { name, bytes });
    }
    Ok(anchors)
}

fn read_file<T>(
    path: &Path,
    take: impl FnOnce(&mut dyn Read) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let file = files::open(path)?;
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    let bar = progress::bar(length, "reading", "bytes");
    let mut reader = bar.wrap_read(BufReader::new(file));
    let taken = take(&mut reader);
    bar.finish_and_clear();
    taken.with_context(|| path.display().to_string())
}

fn question(rows: RowsOf, query: Option<&str>) -> postgres::Question<'_> {
    let (columns, key, view): (&[&'static str], _, _) = match rows {
        RowsOf::Notices => (&NOTICE_COLUMNS, "notice", "fieldcheck.notices"),
        RowsOf::Register => (&REGISTER_COLUMNS, "number", "fieldcheck.register"),
    };
    postgres::Question { columns, key, view, query }
}

/// What the rows of a table are.
#[derive(Clone, Copy)]
enum RowsOf {
    Notices,
    Register,
}

/// What is done about refused rows.
#[derive(Args, Clone, Default)]
pub(super) struct RefusedOptions {
    /// Build although up to N rows are refused; they are missing in the list, and the approver is told
    #[arg(long, value_name = "N", default_value_t = 0)]
    allow_refused: u64,
    /// Where refused rows are listed, by line, column and reason [default: OUT.refused.tsv, if any are]
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

impl RefusedOptions {
    /// Whether anything is asked for about refused rows.
    pub(super) fn is_asked_for(&self) -> bool {
        self.allow_refused > 0 || self.report.is_some()
    }

    /// Reads the notices; returns with them how many rows were refused.
    pub(super) fn read_notices(
        &self,
        input: &Input,
        lapsed: Lapsed,
        output: &Path,
    ) -> anyhow::Result<(Vec<Notice>, u64)> {
        self.read(input, RowsOf::Notices, output, |reader, refusals| {
            source::read_notices(reader, lapsed, refusals)
        })
    }

    /// Reads the register and seals it under each key; returns with it how many rows were refused.
    pub(super) fn read_register<const KEYS: usize>(
        &self,
        input: &Input,
        keys: [&TagKey; KEYS],
        regions: &Regions,
        output: &Path,
    ) -> anyhow::Result<(SealedRows<KEYS>, u64)> {
        self.read(input, RowsOf::Register, output, |reader, refusals| {
            source::read_register(reader, keys, regions, refusals)
        })
    }

    fn read<T>(
        &self,
        input: &Input,
        rows: RowsOf,
        output: &Path,
        read: impl FnOnce(&mut dyn Read, &mut Refusals<'_>) -> Result<T, SourceError>,
    ) -> anyhow::Result<(T, u64)> {
        let mut report = Report::new(self.report.as_deref(), output)?;
        let mut refusals = Refusals::allowing(self.allow_refused).telling(|row| report.write(row));
        let taken = input.read(rows, |reader| read(reader, &mut refusals));
        let (count, first) = (refusals.count(), refusals.first().to_vec());
        drop(refusals);
        report.finish()?;
        if count > 0 {
            let name = input.name();
            for row in &first {
                eprintln!("{name}: {row}");
            }
            let more = count.saturating_sub(first.len() as u64);
            if more > 0 {
                eprintln!("{name}: and {more} more");
            }
            eprintln!("{name}: all refused rows are listed in {}", report.path.display());
        }
        Ok((taken?, count))
    }
}

/// The file of refused rows.
struct Report {
    path: PathBuf,
    file: Option<BufWriter<File>>,
    broken: Option<io::Error>,
}

impl Report {
    /// A report that was asked for is written in any case, one that was not when there is something to
    /// say.
    fn new(asked: Option<&Path>, output: &Path) -> anyhow::Result<Report> {
        let path = asked.map_or_else(
            || {
                let mut name = output.as_os_str().to_owned();
                name.push(".refused.tsv");
                PathBuf::from(name)
            },
            Path::to_owned,
        );
        let mut report = Report { path, file: None, broken: None };
        if asked.is_some() {
            report.broken = report.begin().err();
            report.finish()?;
        }
        Ok(report)
    }

    fn begin(&mut self) -> io::Result<&mut BufWriter<File>> {
        let mut file = BufWriter::new(File::create(&self.path)?);
        file.write_all(b"line\tcolumn\treason\n")?;
        Ok(self.file.insert(file))
    }

    fn write(&mut self, row: &RefusedRow) {
        if self.broken.is_none() {
            self.broken = self.try_to_write(row).err();
        }
    }

    fn try_to_write(&mut self, row: &RefusedRow) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => self.begin()?,
        };
        writeln!(file, "{}\t{}\t{}", row.line, row.column.unwrap_or_default(), row.reason)
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        let flushed = self.file.as_mut().map_or(Ok(()), BufWriter::flush);
        self.broken.take().map_or(flushed, Err).with_context(|| self.path.display().to_string())
    }
}
