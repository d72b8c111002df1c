//! About: versions, whose device this is, and what keeps its key.

use std::rc::Rc;

use fieldcheck_ui as ui;
use sync_format::v1::package::Purpose;

use super::{View, callback};
use crate::keys::Protection;
use crate::worker::Welcome;

/// Sets the callbacks.
pub(super) fn connect(view: &Rc<View>) {
    let about = view.global::<ui::About>();
    about.set_version(env!("CARGO_PKG_VERSION").into());
    about.set_device("".into());
    about.on_close(callback(view, |view| view.go(ui::Screen::Settings)));
}

/// Shows what unlocking told of the device, here and on the stamp that every screen bears.
pub(super) fn show(view: &Rc<View>, welcome: &Welcome) {
    let label = welcome.enrolment.label.as_str();
    let is_software = welcome.protection == Protection::Software;
    let about = view.global::<ui::About>();
    about.set_device(label.into());
    about.set_protection(if is_software {
        ui::KeyProtection::Software
    } else {
        ui::KeyProtection::Hardware
    });
    view.global::<ui::Home>().set_device(label.into());
    let app = view.global::<ui::App>();
    app.set_demo(welcome.enrolment.purpose == Purpose::Demo);
    app.set_software_key(is_software);
}
