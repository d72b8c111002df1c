//! The window for officers and testers.

use std::process::ExitCode;

use fieldcheck::app::{self, AppError, Asked};

/// Exit status where no window can be opened; `./dev demo` then goes on without one.
const NO_WINDOW: u8 = 3;

fn main() -> ExitCode {
    fieldcheck::platform::process::protect();
    match app::read_arguments(std::env::args_os().skip(1)) {
        Ok(Asked::Help) => say(app::USAGE),
        Ok(Asked::Version) => say(concat!("fieldcheck ", env!("CARGO_PKG_VERSION"))),
        Ok(Asked::Run(options)) => match app::run(options) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error @ AppError::Window(_)) => {
                fail(&error);
                ExitCode::from(NO_WINDOW)
            }
            Err(error) => fail(&error),
        },
        Err(problem) => {
            complain(&format!("{problem}\n\n{}", app::USAGE));
            ExitCode::from(2)
        }
    }
}

#[expect(clippy::print_stdout, reason = "what was asked for")]
fn say(text: &str) -> ExitCode {
    println!("{text}");
    ExitCode::SUCCESS
}

/// Prints an error and its causes on one line.
fn fail(error: &dyn std::error::Error) -> ExitCode {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    complain(&format!("error: {text}"));
    ExitCode::FAILURE
}

fn complain(text: &str) {
    eprintln!("{text}");
}
