//! OpenSSL's command line, as an independent second opinion in tests.

use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

/// A folder for the files of one test, and OpenSSL at work in it.
pub(crate) struct OpenSsl {
    folder: TempDir,
}

impl OpenSsl {
    pub(crate) fn new() -> OpenSsl {
        OpenSsl { folder: tempfile::tempdir().expect("a folder") }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path().join(name), bytes).expect("a file");
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path().join(name)).expect("the file that OpenSSL has made")
    }

    /// Runs a command line, split at spaces, and returns what it writes.
    pub(crate) fn run(&self, line: &str) -> Vec<u8> {
        let output = self.output(line);
        let says = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {line}: {says}");
        output.stdout
    }

    /// Whether OpenSSL takes what the command line asks it to check.
    pub(crate) fn agrees(&self, line: &str) -> bool {
        self.output(line).status.success()
    }

    fn output(&self, line: &str) -> Output {
        Command::new("openssl")
            .args(line.split(' '))
            .current_dir(self.path())
            .output()
            .expect("openssl is installed")
    }
}
