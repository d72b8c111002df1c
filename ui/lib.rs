//! The screens of Fieldcheck, as Rust sees them: one window, one global a screen.
//!
//! Everything that can be seen stands in the Slint files beside this one; what they show and ask for is listed in
//! `adapters.slint`. No rule of the product is here: a screen shows what it is told and calls back what was pressed.

#![allow(missing_docs, reason = "generated from the Slint files, which carry the documentation")]
#![allow(clippy::all, reason = "generated code")]

slint::include_modules!();

/// Opens the window in Vietnamese, the language it starts in.
pub fn open() -> Result<AppWindow, slint::PlatformError> {
    let window = AppWindow::new()?;
    select_language(&window, Language::Vietnamese);
    Ok(window)
}

/// Shows every text in `language`, from now on and without rebuilding a screen.
pub fn select_language(window: &AppWindow, language: Language) {
    use slint::ComponentHandle as _;
    let code = match language {
        Language::Vietnamese => "vi",
        Language::English => "",
    };
    // Both languages are built in, so that the choice cannot fail; an error here would be a build without them.
    if slint::select_bundled_translation(code).is_err() {
        debug_assert!(false, "the bundled translations are missing");
    }
    window.global::<App>().set_language(language);
}
