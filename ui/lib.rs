//! The screens of Fieldcheck, as Rust sees them: one window, one global a screen.
//!
//! Everything that can be seen stands in the Slint files beside this one; what they show and ask
//! for is listed in `adapters.slint`. No rule of the product is here: a screen shows what it is
//! told and calls back what was pressed.

/// What the Slint compiler made of the `.slint` files, which carry its documentation.
mod generated {
    #![allow(missing_docs, unsafe_code, reason = "generated")]
    #![allow(clippy::all, clippy::restriction, reason = "generated")]
    slint::include_modules!();
}

pub use generated::*;

use slint::ComponentHandle as _;

/// Opens the window in Vietnamese, the language it starts in.
pub fn open() -> Result<AppWindow, slint::PlatformError> {
    let window = AppWindow::new()?;
    select_language(&window, Language::Vietnamese);
    Ok(window)
}

/// Shows every text in `language`, from now on and without rebuilding a screen.
pub fn select_language(window: &AppWindow, language: Language) {
    let code = match language {
        Language::Vietnamese => "vi",
        Language::English => "",
    };
    // Both languages are built in: only a build without them could fail here.
    let selected = slint::select_bundled_translation(code);
    debug_assert!(selected.is_ok(), "the bundled translations are missing");
    window.global::<App>().set_language(language);
}
