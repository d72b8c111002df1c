//! `fieldcheckctl`: the command line, for headquarters, scripts and testers.

use std::process::ExitCode;

fn main() -> ExitCode {
    fieldcheck::platform::process::protect();
    fieldcheck::command::main()
}
