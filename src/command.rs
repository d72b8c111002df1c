//! The command line `fieldcheckctl`, one file a subcommand.
//!
//! For whoever builds packages, and for testers and scripts: `check` takes the path of an officer's
//! scan, from the picture to the record in the queue. Standard output holds the answer, standard
//! error the progress and what went wrong, once, with its causes behind it.
//!
//! No rule is decided here. The PIN comes from `--pin-file` alone: what stands in an argument or in
//! the environment can be read by others on the machine, and stays in the shell's history.

mod card;
mod check;
mod chip;
mod demo;
mod device;
mod draft;
mod files;
mod input;
mod install;
mod keys;
mod mirror;
mod mrz;
mod pictures;
mod postgres;
mod private_key;
mod progress;
mod publish;
mod qr;
mod queue;
mod release;
mod root;
mod snapshot;
mod store;
mod time;
mod unlock;
mod withdraw;

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::clock::{Clock, SystemClock};

/// Builds and installs signed snapshots, and checks identity cards without a window.
#[derive(Parser)]
#[command(name = "fieldcheckctl", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make an invented world to try everything on: keys, packages, a device, cards
    Demo(demo::Options),
    /// Make headquarters' keys, or show what is public of them
    #[command(subcommand)]
    Keys(keys::Command),
    /// Build a list, approve and sign it; look into a package, or verify one
    #[command(subcommand)]
    Snapshot(snapshot::Command),
    /// Verify packages and install them on a device
    Install(install::Options),
    /// Check cards on a device and record the checks
    ///
    /// The status of several files is that of the strictest answer: 0 clear, 5 not listed, 30 not
    /// checked, 10 refer, 20 match (in this order), and 1 where any file gave no answer.
    Check(check::Options),
    /// Show what the QR codes of pictures hold
    Qr(pictures::Options),
    /// Show what the machine-readable zones of pictures say
    Mrz(pictures::Options),
    /// Publish signed drafts into a repository, all of them at once or none
    ///
    /// Everything is verified as a device of each unit will. What is published never goes back, and
    /// of two publishers at once the second is told.
    Publish(publish::Options),
    /// Copy what a unit needs from a repository onto a stick
    ///
    /// What is there already is kept; what broke off goes on where it was. Packages that newer ones
    /// replace are removed when the newer ones are whole.
    Mirror(mirror::Options),
    /// Take notices away before the next list comes, by one QR code on paper
    Withdraw(withdraw::Options),
    /// Read chips, and prove what they say
    #[command(subcommand)]
    Chip(chip::Command),
    /// Sign application updates, of which devices are told
    #[command(subcommand)]
    Release(release::Command),
    /// List the records that wait on a device, or verify their chain
    #[command(subcommand)]
    Queue(queue::Command),
    /// Verify what is installed on a device, row by row
    #[command(subcommand)]
    Store(store::Command),
    /// Show a device's keys, prove what it has installed, or check such a proof
    #[command(subcommand)]
    Device(device::Command),
}

/// Runs the command that the program's arguments name, and returns its status: 1 for an error, 2
/// for arguments that cannot be.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse().and_then(Cli::validated) {
        Ok(cli) => cli,
        Err(usage) => {
            // Help and version come this way too. Where they cannot be printed nobody reads them.
            usage.print().unwrap_or_default();
            return ExitCode::from(u8::try_from(usage.exit_code()).unwrap_or(2));
        }
    };
    cli.run(Arc::new(SystemClock), &mut io::stdout().lock()).unwrap_or_else(|error| {
        report(&error);
        ExitCode::FAILURE
    })
}

impl Cli {
    /// Refuses what clap cannot say in its own terms.
    fn validated(self) -> Result<Cli, clap::Error> {
        if let Command::Check(options) = &self.command {
            options.validate().map_err(|why| usage("check", why))?;
        }
        Ok(self)
    }

    fn run(self, clock: Arc<dyn Clock>, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Demo(options) => return demo::run(&options, clock, out),
            Command::Check(options) => return check::run(&options, clock, out),
            Command::Chip(command) => return chip::run(&command, &*clock, out),
            Command::Qr(options) => return pictures::run::<qr::Codes>(&options, out),
            Command::Mrz(options) => return pictures::run::<mrz::Zones>(&options, out),
            Command::Keys(command) => keys::run(&command, &*clock, out),
            Command::Snapshot(command) => snapshot::run(&command, &*clock, out),
            Command::Install(options) => install::run(&options, clock, out),
            Command::Publish(options) => publish::run(&options, &*clock, out),
            Command::Withdraw(options) => withdraw::run(&options, clock, out),
            Command::Mirror(options) => mirror::run(&options, &*clock, out),
            Command::Release(command) => release::run(&command, &*clock, out),
            Command::Queue(command) => queue::run(&command, clock, out),
            Command::Store(command) => store::run(&command, clock, out),
            Command::Device(command) => device::run(&command, clock, out),
        }?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Returns an error that shows the usage of a subcommand.
fn usage(subcommand: &str, why: &str) -> clap::Error {
    let mut command = Cli::command();
    command.build();
    let named = command
        .find_subcommand_mut(subcommand)
        .map(|command| command.error(clap::error::ErrorKind::ArgumentConflict, why));
    named.unwrap_or_else(|| command.error(clap::error::ErrorKind::ArgumentConflict, why))
}

/// Prints an error and its causes as one line, unless the reader of our output has gone.
fn report(error: &anyhow::Error) {
    let gone = |cause: &(dyn std::error::Error + 'static)| {
        let io = cause.downcast_ref::<io::Error>();
        io.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    };
    if !error.chain().any(gone) {
        eprintln!("error: {}", chain(error));
    }
}

/// Joins an error and its causes, each said once.
fn chain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        // Some libraries repeat the cause in their own text.
        if text.ends_with(&cause) {
            continue;
        }
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&cause);
    }
    text
}

/// Returns a number and what it counts: `1 row`, `2 rows`.
fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_of_the_arguments_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_pin_comes_from_a_pin_file_and_no_other_way() {
        fn pins(command: &clap::Command, found: &mut Vec<String>) {
            let about_pins = command.get_arguments().filter(|argument| {
                let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
                argument.get_id().as_str().to_lowercase().contains("pin") || help.contains("PIN")
            });
            found.extend(about_pins.map(|argument| {
                format!("{}: {}", command.get_name(), argument.get_long().unwrap_or("positional"))
            }));
            command.get_subcommands().for_each(|command| pins(command, found));
        }
        let mut found = Vec::new();
        pins(&Cli::command(), &mut found);
        let expected = [
            "install: pin-file",
            "check: pin-file",
            "apply: pin-file",
            "list: pin-file",
            "verify: pin-file",
            "verify: pin-file",
            "show: pin-file",
            "proof: pin-file",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_passphrase_comes_from_a_file_and_no_other_way() {
        fn arguments(command: &clap::Command, found: &mut Vec<String>) {
            found.extend(command.get_arguments().filter_map(|argument| {
                let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
                let about = argument.get_id().as_str().contains("passphrase");
                (about || help.contains("passphrase"))
                    .then(|| argument.get_long().unwrap_or("positional").to_owned())
            }));
            command.get_subcommands().for_each(|command| arguments(command, found));
        }
        let mut found = Vec::new();
        arguments(&Cli::command(), &mut found);
        assert!(found.len() >= 2, "{found:?}");
        assert!(found.iter().all(|argument| argument == "passphrase-file"), "{found:?}");
    }

    #[test]
    fn a_cause_that_was_said_is_not_said_again() {
        let cause = io::Error::new(io::ErrorKind::NotFound, "no such file");
        let error = anyhow::Error::new(cause).context("it was no such file").context("a.csv");
        assert_eq!(chain(&error), "a.csv: it was no such file");
    }
}
