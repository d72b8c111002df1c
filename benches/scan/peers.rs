//! Other readers, each in a process of its own: see `benches/peers`.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use fieldcheck::camera::Frame;

/// Names the programs, a semicolon between, words of each apart by spaces; `./dev` sets it.
const PROGRAMS: &str = "FIELDCHECK_BENCH_PEERS";

/// What one engine found in a picture.
pub struct Answer {
    pub engine: String,
    /// The processor's time.
    pub took: Duration,
    pub payloads: Vec<Vec<u8>>,
}

/// The programs, waiting for pictures.
#[derive(Default)]
pub struct Peers(Vec<Peer>);

struct Peer {
    process: Child,
    pictures: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Peers {
    /// Starts what the environment names; nothing where it names nothing.
    pub fn start() -> anyhow::Result<Peers> {
        let programs = std::env::var(PROGRAMS).unwrap_or_default();
        let mut peers = Vec::new();
        for program in programs.split(';').filter(|program| !program.trim().is_empty()) {
            let mut words = program.split_whitespace();
            let mut process = Command::new(words.next().context("a program")?)
                .args(words)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .with_context(|| format!("cannot start {program}"))?;
            let pictures = process.stdin.take();
            let answers = process.stdout.take().context("its output")?;
            peers.push(Peer { process, pictures, answers: BufReader::new(answers) });
        }
        Ok(Peers(peers))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Shows a picture to every engine, one after the other.
    pub fn ask(&mut self, frame: &Frame) -> anyhow::Result<Vec<Answer>> {
        let mut all = Vec::new();
        for peer in &mut self.0 {
            let pictures = peer.pictures.as_mut().context("a peer that was stopped")?;
            write!(pictures, "P5\n{} {}\n255\n", frame.width, frame.height)?;
            pictures.write_all(&frame.luma)?;
            pictures.flush()?;
            loop {
                let mut line = String::new();
                if peer.answers.read_line(&mut line)? == 0 {
                    bail!("a peer ended too soon");
                }
                if line.trim_end() == "." {
                    break;
                }
                all.push(answer(line.trim_end_matches('\n')).context("a line of a peer")?);
            }
        }
        Ok(all)
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        for peer in &mut self.0 {
            // They end when their input does.
            peer.pictures = None;
            let _ = peer.process.wait();
        }
    }
}

/// Engine, microseconds, payloads in hexadecimal.
fn answer(line: &str) -> Option<Answer> {
    let mut columns = line.split('\t');
    let engine = columns.next()?.to_owned();
    let took = Duration::from_micros(columns.next()?.parse().ok()?);
    let payloads = columns.next()?.split(',').filter(|hex| !hex.is_empty());
    let payloads = payloads.map(bytes_of).collect::<Option<Vec<_>>>()?;
    Some(Answer { engine, took, payloads })
}

fn bytes_of(hex: &str) -> Option<Vec<u8>> {
    let digits: Vec<u32> = hex.chars().map(|digit| digit.to_digit(16)).collect::<Option<_>>()?;
    Some(
        digits.chunks(2).map(|two| two.iter().fold(0, |all, four| all << 4 | four) as u8).collect(),
    )
}
