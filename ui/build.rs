//! Compiles the Slint files, with the translations and fonts inside.

use slint_build::{CompilerConfiguration, DefaultTranslationContext};

fn main() -> Result<(), slint_build::CompileError> {
    // Element ids are what the layout tests find elements by; a release carries none.
    let debug_build = std::env::var("PROFILE").is_ok_and(|profile| profile == "debug");
    let configuration = CompilerConfiguration::new()
        .with_bundled_translations("lang")
        .with_default_translation_context(DefaultTranslationContext::None)
        .with_debug_info(debug_build);
    slint_build::compile_with_config("app.slint", configuration)
}
