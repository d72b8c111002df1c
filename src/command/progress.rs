//! Progress on standard error; nothing of it is written where that is no terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Returns a bar that counts to `length` in `unit`.
pub(super) fn bar(length: u64, what: &str, unit: &str) -> ProgressBar {
    let template = format!("{{msg}}  {{wide_bar}}  {{human_pos}} of {{human_len}} {unit}, {{eta}}");
    let bar = ProgressBar::new(length).with_message(what.to_owned());
    match ProgressStyle::with_template(&template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// Returns a mark that turns while something is done that does not count.
pub(super) fn spinner() -> ProgressBar {
    let spinner = ProgressBar::new_spinner();
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner
}
