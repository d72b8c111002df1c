//! The Android entry of Fieldcheck.
//!
//! Thin on purpose: everything that can be tried on a desktop is in `fieldcheck`. A device key in
//! Android's key store, its camera and enrolment are not part of this version, so the app opens and
//! says that it cannot work on this device; it never falls back to a key in software.

#[cfg(target_os = "android")]
#[expect(unsafe_code, reason = "the system finds the entry by its name")]
#[unsafe(no_mangle)]
fn android_main(app: slint::android::AndroidApp) {
    if let Err(error) = slint::android::init(app) {
        tracing::error!(%error, "the window system did not start");
        return;
    }
    if let Err(error) = fieldcheck::app::run_without_device(
        fieldcheck_ui::TroubleKind::NeedsHardwareKey,
        "no-device-key",
    ) {
        tracing::error!(%error, "the window did not open");
    }
}
