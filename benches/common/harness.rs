//! What a bench needs beside what it measures: samples, how disturbed they were, and the report.
//!
//! A figure of a busy machine says nothing of the program, so every stretch that is timed is watched:
//! how long its thread stood in the queue for a processor, and what the hypervisor took. A row that
//! was disturbed too much says `untested`, whatever its value is. What is counted in bytes, no other
//! program can change.

// Each bench takes its part of it.
#![allow(dead_code)]

use std::fmt;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rustix::time::{ClockId, clock_gettime};

/// Most of a stretch that may be lost to others where only its length counts. Chosen.
const MOST_LOST: f64 = 0.20;

/// The same where processor time counts, which others lengthen only through the caches they share.
/// Chosen.
const MOST_LOST_OF_PROCESSOR_TIME: f64 = 0.35;

/// The same where percentiles of short samples count. Measured: whoever comes in between empties the
/// processor's caches too, and a 99th percentile of 115 µs was 170 µs with 4 % lost, 220 µs with 8 %.
const MOST_LOST_BETWEEN_SAMPLES: f64 = 0.05;

/// How often a disturbed measurement is tried.
pub const TRIES: usize = 5;

/// Durations of one thing done many times.
#[derive(Default)]
pub struct Samples(Vec<Duration>);

impl Samples {
    pub fn push(&mut self, sample: Duration) {
        self.0.push(sample);
    }

    /// Returns the smallest sample that `share` of all do not exceed (nearest rank).
    pub fn percentile(&self, share: f64) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let rank = (share * sorted.len() as f64).ceil() as usize;
        sorted.get(rank.max(1) - 1).copied().unwrap_or_default()
    }

    pub fn median(&self) -> Duration {
        self.percentile(0.50)
    }
}

/// Times one call.
pub fn timed<T>(call: impl FnOnce() -> T) -> (Duration, T) {
    let began = Instant::now();
    let value = call();
    (began.elapsed(), value)
}

/// Times one call by the processor time of all threads of this process.
pub fn processor_timed<T>(call: impl FnOnce() -> T) -> (Duration, T) {
    let began = processor_time();
    let value = call();
    (processor_time().saturating_sub(began), value)
}

fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.cast_unsigned(), time.tv_nsec as u32)
}

/// Returns how many times `one` goes into `other`.
pub fn ratio(other: Duration, one: Duration) -> f64 {
    other.as_secs_f64() / one.as_secs_f64()
}

/// How much of a stretch was lost to others.
#[derive(Clone, Copy, Debug)]
pub struct Lost {
    /// `None` where the system does not tell.
    share: Option<f64>,
    most: f64,
}

impl Lost {
    fn is_too_much(self) -> bool {
        self.share.is_none_or(|share| share > self.most)
    }
}

/// Measures short samples until nobody disturbs it, or a few times; gives the least disturbed try.
pub fn undisturbed<T>(measure: impl FnMut() -> anyhow::Result<T>) -> anyhow::Result<(T, Lost)> {
    least_disturbed(MOST_LOST_BETWEEN_SAMPLES, measure)
}

/// The same where only the median counts, and the disk takes most of each sample.
pub fn undisturbed_median<T>(
    measure: impl FnMut() -> anyhow::Result<T>,
) -> anyhow::Result<(T, Lost)> {
    least_disturbed(MOST_LOST, measure)
}

fn least_disturbed<T>(
    most: f64,
    mut measure: impl FnMut() -> anyhow::Result<T>,
) -> anyhow::Result<(T, Lost)> {
    let mut try_once = || -> anyhow::Result<(T, Lost)> {
        let (value, lost) = watched(&mut measure)?;
        Ok((value, Lost { most, ..lost }))
    };
    let mut best = try_once()?;
    for _ in 1..TRIES {
        if !best.1.is_too_much() {
            break;
        }
        let next = try_once()?;
        if next.1.share.unwrap_or(1.0) < best.1.share.unwrap_or(1.0) {
            best = next;
        }
    }
    Ok(best)
}

/// Measures once, and tells how much of the time was lost to others.
pub fn watched<T>(measure: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<(T, Lost)> {
    let (began, queued, stolen) = (Instant::now(), queued(), stolen());
    let value = measure()?;
    let lost = || {
        let wall = began.elapsed().as_secs_f64();
        let waited = self::queued()?.checked_sub(queued?)?.as_secs_f64() / wall;
        let ((taken, all), (taken_before, all_before)) = (self::stolen()?, stolen?);
        let robbed = (taken - taken_before) as f64 / ((all - all_before).max(1)) as f64;
        Some((waited + robbed).min(1.0))
    };
    Ok((value, Lost { share: lost(), most: MOST_LOST }))
}

/// Measures processor time once, and tells how much of the time was lost to others.
pub fn watched_processor<T>(
    measure: impl FnOnce() -> anyhow::Result<T>,
) -> anyhow::Result<(T, Lost)> {
    let (value, lost) = watched(measure)?;
    Ok((value, Lost { most: MOST_LOST_OF_PROCESSOR_TIME, ..lost }))
}

/// Returns how long this thread has stood in the queue for a processor, as Linux counts it.
fn queued() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(Duration::from_nanos(text.split_whitespace().nth(1)?.parse().ok()?))
}

/// Returns the ticks of all processors that the hypervisor took, and all there were.
fn stolen() -> Option<(u64, u64)> {
    let text = std::fs::read_to_string("/proc/stat").ok()?;
    let ticks: Vec<u64> =
        text.lines().next()?.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    // user nice system idle iowait irq softirq steal; guest time is in user already.
    Some((*ticks.get(7)?, ticks.iter().take(8).sum()))
}

/// Returns how many bytes this process has caused to be written to the disk: a page that is changed
/// twice before it is written counts once.
pub fn bytes_written() -> anyhow::Result<u64> {
    let text = std::fs::read_to_string("/proc/self/io")?;
    line_of(&text, "write_bytes:").context("no count of written bytes")
}

/// Makes the peak of memory begin anew from what is held now.
pub fn forget_peak() -> anyhow::Result<()> {
    Ok(std::fs::write("/proc/self/clear_refs", "5")?)
}

/// Returns the most memory that this process has held, KiB.
pub fn peak_kib() -> anyhow::Result<u64> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    line_of(&text, "VmHWM:").context("no peak of memory")
}

/// Returns the number after a word at the beginning of a line.
fn line_of(text: &str, word: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(word))?;
    line.split_whitespace().next()?.parse().ok()
}

/// What a figure should be.
#[derive(Clone, Copy)]
pub enum Aim {
    /// Nothing: a part, a peer, or a size.
    Nothing,
    Below(f64),
    AtMost(f64),
    AtLeast(f64),
}

impl Aim {
    fn holds(self, value: f64) -> Holds {
        let holds = match self {
            Aim::Nothing => return Holds::Open,
            Aim::Below(limit) => value < limit,
            Aim::AtMost(limit) => value <= limit,
            Aim::AtLeast(limit) => value >= limit,
        };
        if holds { Holds::Yes } else { Holds::No }
    }
}

/// Whether a figure is what it should be.
enum Holds {
    Yes,
    No,
    /// There is no aim.
    Open,
    /// The machine was too busy to say.
    Untested,
}

struct Row {
    section: &'static str,
    figure: String,
    value: f64,
    unit: &'static str,
    aim: Aim,
    holds: Holds,
}

/// The rows of one run, written as a table to read and as `target/bench/NAME.tsv`.
pub struct Report {
    name: &'static str,
    machine: String,
    section: &'static str,
    lost: Lost,
    rows: Vec<Row>,
}

impl Report {
    pub fn new(name: &'static str) -> Report {
        Report {
            name,
            machine: machine(),
            section: "",
            lost: Lost { share: None, most: 0.0 },
            rows: Vec::new(),
        }
    }

    /// Begins a section in which nothing is timed.
    pub fn untimed_section(&mut self, title: &'static str) {
        (self.section, self.lost) = (title, Lost { share: Some(0.0), most: 0.0 });
    }

    /// Begins a section, of which `lost` was lost to others.
    pub fn section(&mut self, title: &'static str, lost: Lost) {
        (self.section, self.lost) = (title, lost);
        if let Some(share) = lost.share {
            let aim = Aim::Below(lost.most * 100.0);
            let holds = if lost.is_too_much() { Holds::No } else { Holds::Yes };
            self.push("time lost to others".into(), share * 100.0, "%", aim, holds);
        }
    }

    /// Adds a row that takes no time to find: how many, how large.
    pub fn count(&mut self, figure: impl Into<String>, value: f64, unit: &'static str) {
        self.count_with_aim(figure, value, unit, Aim::Nothing);
    }

    /// The same, where it shall be so many or so large.
    pub fn count_with_aim(
        &mut self,
        figure: impl Into<String>,
        value: f64,
        unit: &'static str,
        aim: Aim,
    ) {
        self.push(figure.into(), value, unit, aim, aim.holds(value));
    }

    /// Adds a row that a busy machine would distort.
    pub fn add(&mut self, figure: impl Into<String>, value: f64, unit: &'static str, aim: Aim) {
        let holds = if self.lost.is_too_much() { Holds::Untested } else { aim.holds(value) };
        self.push(figure.into(), value, unit, aim, holds);
    }

    /// Adds percentiles of samples in microseconds; the last one has the aim.
    pub fn add_micros(&mut self, what: &str, samples: &Samples, shares: &[f64], aim: Aim) {
        for (at, share) in shares.iter().enumerate() {
            let aim = if at + 1 == shares.len() { aim } else { Aim::Nothing };
            let micros = samples.percentile(*share).as_secs_f64() * 1e6;
            self.add(format!("{what}, p{}", share * 100.0), micros, "µs", aim);
        }
    }

    fn push(&mut self, figure: String, value: f64, unit: &'static str, aim: Aim, holds: Holds) {
        self.rows.push(Row { section: self.section, figure, value, unit, aim, holds });
    }

    /// Prints the table under a description of the machine, and writes the file.
    pub fn finish(self, folder: &Path) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}", self.machine)?;
        let width = self.rows.iter().map(|row| row.figure.chars().count()).max().unwrap_or(0);
        let mut section = "";
        for row in &self.rows {
            if row.section != section {
                section = row.section;
                writeln!(out, "\n{section}")?;
            }
            let Row { figure, value, unit, aim, holds, .. } = row;
            let value = Value(*value).to_string();
            writeln!(out, "  {figure:<width$}  {value:>10} {unit:<10} {aim:<8} {holds}")?;
        }

        let mut tsv = String::from("figure\tvalue\tunit\taim\tholds\n");
        for Row { section, figure, value, unit, aim, holds } in &self.rows {
            tsv.push_str(&format!("{section}: {figure}\t{value:.3}\t{unit}\t{aim}\t{holds}\n"));
        }
        std::fs::write(folder.join(format!("{}.tsv", self.name)), tsv)?;
        Ok(())
    }
}

impl fmt::Display for Aim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Aim::Nothing => f.pad(""),
            Aim::Below(limit) => f.pad(&format!("< {limit}")),
            Aim::AtMost(limit) => f.pad(&format!("≤ {limit}")),
            Aim::AtLeast(limit) => f.pad(&format!("≥ {limit}")),
        }
    }
}

impl fmt::Display for Holds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Holds::Yes => "yes",
            Holds::No => "no",
            Holds::Open => "",
            Holds::Untested => "untested",
        })
    }
}

/// A value to read: three digits, or as many as a large whole number has.
struct Value(f64);

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Value(value) = *self;
        let digits = match value {
            _ if value.fract() == 0.0 || value >= 100.0 => 0,
            _ if value >= 10.0 => 1,
            _ => 2,
        };
        let text = format!("{value:.digits$}");
        let whole = text.find('.').unwrap_or(text.len());
        for (at, letter) in text.chars().enumerate() {
            if at > 0 && at < whole && (whole - at) % 3 == 0 {
                f.write_str(",")?;
            }
            write!(f, "{letter}")?;
        }
        Ok(())
    }
}

/// Describes this machine as it is before the run: processor, cores, memory, kernel, load.
fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let after = |text: &str, key: &str| {
        let line = text.lines().find(|line| line.starts_with(key)).unwrap_or_default();
        line.split_once(':').map_or_else(|| "unknown".to_owned(), |(_, value)| value.trim().into())
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = read("/proc/loadavg");
    format!(
        "{}, {cores} cores, {} memory, {} {}, load {}",
        after(&read("/proc/cpuinfo"), "model name"),
        after(&read("/proc/meminfo"), "MemTotal"),
        std::env::consts::OS,
        read("/proc/sys/kernel/osrelease").trim(),
        load.split(' ').next().unwrap_or("unknown"),
    )
}
