//! Keeps what the process holds in memory from reaching a disk or a log by accident.

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// Forbids core dumps, keeps other processes of the user from reading this one's memory, and lets a
/// panic say where it happened but not with what: its message may hold what was being read.
///
/// Call it first thing in a program. A system that refuses one of the measures still gets the rest.
pub fn protect() {
    let no_core = Rlimit { current: Some(0), maximum: Some(0) };
    let refused = [
        setrlimit(Resource::Core, no_core).err(),
        set_dumpable_behavior(DumpableBehavior::NotDumpable).err(),
    ];
    for error in refused.into_iter().flatten() {
        tracing::warn!(%error, "the system refused to protect the process's memory");
    }
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(String::new, |location| {
            format!(" at {}:{}", location.file(), location.line())
        });
        let thread = std::thread::current();
        let name = thread.name().unwrap_or("unnamed");
        eprintln!("fieldcheck: thread {name} stopped{place}; this is a fault of the program");
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A process of its own, since hook and limits are the whole process's.
    const CHILD: &str = "FIELDCHECK_TEST_PROTECTED_CHILD";

    #[test]
    fn a_panic_tells_its_place_and_not_its_message() {
        if std::env::var_os(CHILD).is_some() {
            protect();
            assert_eq!(rustix::process::getrlimit(Resource::Core).current, Some(0));
            std::thread::spawn(|| panic!("Nguyễn Văn Mẫu")).join().unwrap_err();
            return;
        }
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "platform::process::tests::a_panic_tells_its_place_and_not_its_message",
            ])
            .arg("--nocapture")
            .env(CHILD, "1")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        assert!(said.contains("process.rs:"), "{said}");
        assert!(!said.contains("Mẫu"), "{said}");
    }
}
