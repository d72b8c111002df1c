//! `fieldcheckctl device`: what headquarters asks of a device, and what it checks of the answers.

use std::io::Write;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use clap::{Args, Subcommand, ValueEnum};
use sync_format::v1::package::Dataset;

use super::files::hex;
use super::time::Utc;
use super::unlock::DeviceOptions;
use crate::clock::Clock;
use crate::device::proof;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Print the device's line for devices.csv: device, unit, sealing key, signing key, revoked
    Show(ShowOptions),
    /// Print the signed proof that a list is installed, as one line of text
    Proof(ProofOptions),
    /// Check such a line at headquarters, and print what it says
    VerifyProof(VerifyOptions),
}

#[derive(Args)]
pub(super) struct ShowOptions {
    #[command(flatten)]
    device: DeviceOptions,
}

#[derive(Args)]
pub(super) struct ProofOptions {
    #[command(flatten)]
    device: DeviceOptions,
    /// Which list
    dataset: List,
}

#[derive(Args)]
pub(super) struct VerifyOptions {
    /// The device's public signing key, 66 hexadecimal digits, as devices.csv has it
    #[arg(long, value_name = "HEX")]
    key: String,
    /// The line, which begins with FCI1:
    line: String,
}

/// The lists that can be installed.
#[derive(Clone, Copy, ValueEnum)]
enum List {
    Notices,
    Register,
    Anchors,
}

impl List {
    fn dataset(self) -> Dataset {
        match self {
            List::Notices => Dataset::Notices,
            List::Register => Dataset::Register,
            List::Anchors => Dataset::Anchors,
        }
    }
}

pub(super) fn run(
    command: &Command,
    clock: Arc<dyn Clock>,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    match command {
        Command::Show(options) => show(options, clock, out),
        Command::Proof(options) => print_proof(options, clock, out),
        Command::VerifyProof(options) => verify_proof(options, out),
    }
}

fn show(options: &ShowOptions, clock: Arc<dyn Clock>, out: &mut dyn Write) -> anyhow::Result<()> {
    let (_device, mut session) = options.device.unlock(clock)?;
    let enrolment = session.enrolment();
    let (device, unit) = (hex(&enrolment.device), enrolment.unit);
    let (seal, sign) = (hex(&session.seal_public().to_bytes()), hex(&session.sign_public()));
    session.log_lock()?;
    writeln!(out, "{device},{unit},{seal},{sign},")?;
    Ok(())
}

fn print_proof(
    options: &ProofOptions,
    clock: Arc<dyn Clock>,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let (_device, mut session) = options.device.unlock(clock)?;
    let line = session.proof_line(options.dataset.dataset());
    session.log_lock()?;
    writeln!(out, "{}", line?.context("no such list is installed")?)?;
    Ok(())
}

fn verify_proof(options: &VerifyOptions, out: &mut dyn Write) -> anyhow::Result<()> {
    let key = from_hex(&options.key).ok_or_else(|| anyhow!("--key: not 66 hexadecimal digits"))?;
    let installed = proof::verify(&options.line, &key)?;
    writeln!(
        out,
        "device {} has installed {} {} of epoch {} (manifest {}) at {}, application {}",
        hex(&installed.device),
        installed.dataset,
        installed.version,
        installed.version.epoch,
        hex(&installed.manifest),
        Utc(i64::from(installed.hour) * 3_600),
        installed.app,
    )?;
    Ok(())
}

fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits: Vec<u32> = text.chars().map(|c| c.to_digit(16)).collect::<Option<_>>()?;
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = (pair[0] << 4 | pair[1]) as u8;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_in_hexadecimal_digits() {
        assert_eq!(from_hex::<3>("000aFF"), Some([0, 10, 255]));
        for wrong in ["", "000af", "000afff", "000ag0", "000aéf"] {
            assert_eq!(from_hex::<3>(wrong), None, "{wrong}");
        }
    }
}
