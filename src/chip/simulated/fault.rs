//! What can go wrong with a simulated card: each fault by itself, by a name that a file can hold.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

use super::contents::file_of_name;
use crate::chip::files::FileId;

/// Something that a simulated card does wrong, or otherwise than most.
///
/// Commands are counted from 1 over the life of a card, from its being made and through every loss
/// of power: a fault at a command happens once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// `cut 17`: leaves the field instead of answering command 17, and may come back.
    Cut {
        /// The command.
        at: u32,
    },
    /// `leave 17`: leaves the field for good.
    Leave {
        /// The command.
        at: u32,
    },
    /// `slow 17 3000`: takes 3,000 ms to answer command 17.
    Slow {
        /// The command.
        at: u32,
        /// The time.
        time: Duration,
    },
    /// `wrong-mac 17`: answers command 17 with a wrong MAC.
    WrongMac {
        /// The command.
        at: u32,
    },
    /// `unprotected 17`: answers command 17 in plain, with a status that says so.
    Unprotected {
        /// The command.
        at: u32,
    },
    /// `stub 17`: answers command 17 with one byte, which is no answer.
    Stub {
        /// The command.
        at: u32,
    },
    /// `status 17 6F00`: does nothing at command 17 but say that.
    Status {
        /// The command.
        at: u32,
        /// The status.
        status: u16,
    },
    /// `pieces 100`: hands out longer answers by GET RESPONSE, so many bytes at a time (61xx).
    Pieces {
        /// The longest piece, 255 at most.
        bytes: u8,
    },
    /// `wants-length 100`: refuses to read more at once and says how much it would (6Cxx).
    WantsLength {
        /// That much.
        bytes: u8,
    },
    /// `short-reads 100`: gives fewer bytes than asked for, with no word about it.
    ShortReads {
        /// The most that it gives.
        bytes: u16,
    },
    /// `no-extended`: refuses commands with lengths of two bytes (6700).
    NoExtended,
    /// `longest-read 1024`: refuses to read more at once (6700).
    LongestRead {
        /// The most that it reads.
        bytes: u16,
    },
    /// `no-short-names`: knows files by SELECT alone (6A82).
    NoShortNames,
    /// `knows-mf`: lets the master file be selected, which identity cards do not.
    KnowsMf,
    /// `refuses-can`: takes the card access number for wrong.
    RefusesCan,
    /// `refuses-zone`: takes the key of the machine-readable zone for wrong.
    RefusesZone,
    /// `missing DG13`: has not that file.
    Missing {
        /// The file.
        file: FileId,
    },
    /// `flipped DG2 1000`: the byte at that place of the file is another.
    Flipped {
        /// The file.
        file: FileId,
        /// The place.
        offset: u32,
    },
    /// `claims DG2 4294967295`: the file says that it has so many bytes.
    Claims {
        /// The file.
        file: FileId,
        /// So many.
        bytes: u32,
    },
    /// `endless DG2`: the file says so too, and has them.
    Endless {
        /// The file.
        file: FileId,
    },
}

impl Fault {
    /// Returns the command at which it happens, where it happens once.
    pub(super) fn at(self) -> Option<u32> {
        match self {
            Fault::Cut { at }
            | Fault::Leave { at }
            | Fault::Slow { at, .. }
            | Fault::WrongMac { at }
            | Fault::Unprotected { at }
            | Fault::Stub { at }
            | Fault::Status { at, .. } => Some(at),
            _ => None,
        }
    }
}

/// A text that names no fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("no such fault of a simulated card")]
pub struct NoSuchFault;

impl FromStr for Fault {
    type Err = NoSuchFault;

    fn from_str(text: &str) -> Result<Fault, NoSuchFault> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let file = |name: &str| file_of_name(&format!("EF.{name}")).ok_or(NoSuchFault);
        Ok(match words[..] {
            ["cut", at] => Fault::Cut { at: number(at)? },
            ["leave", at] => Fault::Leave { at: number(at)? },
            ["slow", at, time] => {
                Fault::Slow { at: number(at)?, time: Duration::from_millis(number(time)?) }
            }
            ["wrong-mac", at] => Fault::WrongMac { at: number(at)? },
            ["unprotected", at] => Fault::Unprotected { at: number(at)? },
            ["stub", at] => Fault::Stub { at: number(at)? },
            ["status", at, status] => {
                let status = u16::from_str_radix(status, 16).map_err(|_| NoSuchFault)?;
                Fault::Status { at: number(at)?, status }
            }
            ["pieces", bytes] => Fault::Pieces { bytes: number(bytes)? },
            ["wants-length", bytes] => Fault::WantsLength { bytes: number(bytes)? },
            ["short-reads", bytes] => Fault::ShortReads { bytes: number(bytes)? },
            ["no-extended"] => Fault::NoExtended,
            ["longest-read", bytes] => Fault::LongestRead { bytes: number(bytes)? },
            ["no-short-names"] => Fault::NoShortNames,
            ["knows-mf"] => Fault::KnowsMf,
            ["refuses-can"] => Fault::RefusesCan,
            ["refuses-zone"] => Fault::RefusesZone,
            ["missing", name] => Fault::Missing { file: file(name)? },
            ["flipped", name, offset] => {
                Fault::Flipped { file: file(name)?, offset: number(offset)? }
            }
            ["claims", name, bytes] => Fault::Claims { file: file(name)?, bytes: number(bytes)? },
            ["endless", name] => Fault::Endless { file: file(name)? },
            _ => return Err(NoSuchFault),
        })
    }
}

fn number<T: FromStr>(word: &str) -> Result<T, NoSuchFault> {
    word.parse().map_err(|_| NoSuchFault)
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |file: FileId| file.to_string().trim_start_matches("EF.").to_owned();
        match *self {
            Fault::Cut { at } => write!(f, "cut {at}"),
            Fault::Leave { at } => write!(f, "leave {at}"),
            Fault::Slow { at, time } => write!(f, "slow {at} {}", time.as_millis()),
            Fault::WrongMac { at } => write!(f, "wrong-mac {at}"),
            Fault::Unprotected { at } => write!(f, "unprotected {at}"),
            Fault::Stub { at } => write!(f, "stub {at}"),
            Fault::Status { at, status } => write!(f, "status {at} {status:04X}"),
            Fault::Pieces { bytes } => write!(f, "pieces {bytes}"),
            Fault::WantsLength { bytes } => write!(f, "wants-length {bytes}"),
            Fault::ShortReads { bytes } => write!(f, "short-reads {bytes}"),
            Fault::NoExtended => f.write_str("no-extended"),
            Fault::LongestRead { bytes } => write!(f, "longest-read {bytes}"),
            Fault::NoShortNames => f.write_str("no-short-names"),
            Fault::KnowsMf => f.write_str("knows-mf"),
            Fault::RefusesCan => f.write_str("refuses-can"),
            Fault::RefusesZone => f.write_str("refuses-zone"),
            Fault::Missing { file } => write!(f, "missing {}", name(file)),
            Fault::Flipped { file, offset } => write!(f, "flipped {} {offset}", name(file)),
            Fault::Claims { file, bytes } => write!(f, "claims {} {bytes}", name(file)),
            Fault::Endless { file } => write!(f, "endless {}", name(file)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_read_as_it_is_written() {
        for text in [
            "cut 17",
            "leave 17",
            "slow 17 3000",
            "wrong-mac 17",
            "unprotected 17",
            "stub 17",
            "status 17 6F00",
            "pieces 100",
            "wants-length 100",
            "short-reads 100",
            "no-extended",
            "longest-read 1024",
            "no-short-names",
            "knows-mf",
            "refuses-can",
            "refuses-zone",
            "missing DG13",
            "flipped SOD 1000",
            "claims DG2 4294967295",
            "endless CardAccess",
        ] {
            let fault: Fault = text.parse().expect(text);
            assert_eq!(fault.to_string(), text);
        }
    }

    #[test]
    fn what_names_no_fault_is_refused() {
        for text in ["", "cut", "cut x", "cut 1 2", "status 1 XYZ", "missing DG17", "pieces 256"] {
            assert_eq!(text.parse::<Fault>(), Err(NoSuchFault), "{text}");
        }
    }
}
