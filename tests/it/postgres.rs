//! Lists from PostgreSQL: the same bytes as from CSV, and errors that say what to do.
//!
//! The server is the one of the Debian package `postgresql`, started by the test in a folder of its own
//! and ended with it; no service of the system is touched.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fieldcheck::invented::World;
use tempfile::TempDir;

use super::cli::{Ended, program, run};

const PASSWORD: &str = "mot-hai-ba";

#[test]
fn a_list_from_the_database_is_the_list_from_csv_byte_for_byte() {
    let Some(server) = Server::start() else { return };
    let (sources, work) = (sources(), tempfile::tempdir().unwrap());
    server.load(&sources);
    for (dataset, more) in [("notices", ["--keep-lapsed"]), ("register", ["--regions=all"])] {
        let csv = sources.folder.path().join(format!("{dataset}.csv"));
        let build = |from: &[&str], name: &str| {
            let out = work.path().join(format!("{dataset}-{name}"));
            let ended = run(sources.build(dataset, &out).args(from).args(more));
            assert_eq!(ended.status, Some(0), "{ended:?}");
            files_in(&out)
        };
        let from_csv = build(&["--in", csv.to_str().unwrap()], "csv");
        let from_database = build(&["--from", &server.socket_url()], "database");
        assert!(from_csv.len() >= 5, "{dataset}: {} files", from_csv.len());
        assert_eq!(from_csv, from_database, "{dataset}");
        let query = format!("SELECT *, 1 AS more FROM fieldcheck.{dataset} -- all of it");
        let asked = build(&["--from", &server.socket_url(), "--query", &query], "query");
        assert_eq!(from_csv, asked, "{dataset} by a query");
    }
}

#[test]
fn the_password_stands_in_a_file_and_in_no_error() {
    let Some(server) = Server::start() else { return };
    let (sources, work) = (sources(), tempfile::tempdir().unwrap());
    server.load(&sources);
    let passfile = work.path().join("passwords");
    let build = |url: &str, passfile: &Path| {
        let mut build = sources.build("notices", &work.path().join("out"));
        run(build.args(["--keep-lapsed", "--from", url]).env("PGPASSFILE", passfile))
    };
    let write = |password: &str, mode: u32| {
        fs::write(&passfile, format!("localhost:*:registers:clerk:{password}\n")).unwrap();
        fs::set_permissions(&passfile, fs::Permissions::from_mode(mode)).unwrap();
    };
    let refuses = |ended: Ended, why: &str| {
        assert_eq!(ended.status, Some(1), "{ended:?}");
        assert!(ended.err.contains(why), "{why}: {ended:?}");
        assert!(!ended.err.contains(PASSWORD) && !ended.err.contains("sai-roi"), "{ended:?}");
    };

    write("sai-roi", 0o600);
    refuses(build(&server.url("localhost"), &passfile), "does not take this user and password");
    write(PASSWORD, 0o644);
    refuses(build(&server.url("localhost"), &passfile), "others may read this file of passwords");
    refuses(build(&server.url("localhost"), &work.path().join("none")), "No such file");
    let in_url = server.url("localhost").replace("clerk@", "clerk:sai-roi@");
    refuses(build(&in_url, &passfile), "does not take this user and password");

    write(PASSWORD, 0o600);
    let ended = build(&server.url("localhost"), &passfile);
    assert_eq!(ended.status, Some(0), "{ended:?}");
}

#[test]
fn what_cannot_be_read_from_the_database_is_said_with_what_to_do() {
    let Some(server) = Server::start() else { return };
    let (sources, work) = (sources(), tempfile::tempdir().unwrap());
    let out = work.path().join("out");
    let refuses = |more: &[&str], why: &str| {
        let ended = run(sources.build("register", &out).args(["--regions=all"]).args(more));
        assert_eq!(ended.status, Some(1), "{ended:?}");
        assert!(ended.err.contains(why), "{why}: {ended:?}");
        assert!(!out.join("manifest.bin").exists());
    };
    let url = server.socket_url();
    refuses(&["--from", &url], "registers has no view fieldcheck.register");
    server.load(&sources);
    let query = |sql: &str, why: &str| refuses(&["--from", &url, "--query", sql], why);
    query(
        "SELECT number, name, birth, status FROM fieldcheck.register",
        "the query lacks a column",
    );
    query("SELECT FROM WHERE", "the query is not SQL");
    query("SELECT * FROM elsewhere", "a table or view that is not there");
    let writes = "SELECT nextval('counter')::text AS number, name, birth, issued, status \
                  FROM fieldcheck.register";
    query(writes, "wants to write");
    // A cell in a text of the server's would be a person's.
    let cast = "SELECT number, name, birth, name::date AS issued, status FROM fieldcheck.register";
    query(cast, "SQLSTATE 22007");
    // The rows go through the same rules as those of a file.
    let short = "SELECT left(number, 11) AS number, name, birth, issued, status \
                 FROM fieldcheck.register";
    query(short, "line 2: number is not 12 digits");

    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    refuses(
        &["--from", &format!("postgres://clerk@{nobody}/registers")],
        "no server answers there",
    );
    let elsewhere = "postgres://clerk@192.0.2.1/registers";
    refuses(&["--from", elsewhere], "the database is on another machine");
}

/// Everything but the rows' way that a build needs: the sources of an invented world, a trial's root,
/// and one device.
struct Sources {
    folder: TempDir,
}

fn sources() -> Sources {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(5, 300, "2026-11-24".parse().unwrap());
    let file = |name: &str| fs::File::create(folder.path().join(name)).unwrap();
    world.write_notices_csv(file("notices.csv")).unwrap();
    world.write_register_csv(file("register.csv")).unwrap();
    for name in ["units.csv", "devices.csv"] {
        fs::copy(Path::new("tests/cli/sources.in").join(name), folder.path().join(name)).unwrap();
    }
    let ended = run(program("keys").arg("new").arg(folder.path().join("keys")));
    assert_eq!(ended.status, Some(0), "{ended:?}");
    fs::write(folder.path().join("seed"), "5e".repeat(32)).unwrap();
    Sources { folder }
}

impl Sources {
    /// A build whose bytes follow from its rows alone.
    fn build(&self, dataset: &str, out: &Path) -> Command {
        let path = |name: &str| self.folder.path().join(name);
        let mut build = program("snapshot");
        build.args(["build", dataset, "--version", "1", "--created", "2026-11-24T06:30:00Z"]);
        build.arg("--units").arg(path("units.csv")).arg("--devices").arg(path("devices.csv"));
        build.arg("--root").arg(path("keys").join("root.bin")).arg("--seed").arg(path("seed"));
        build.arg("--out").arg(out);
        build
    }
}

/// Returns the files of a draft, by name.
fn files_in(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<(String, Vec<u8>)> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect();
    files.sort();
    files
}

/// A server of its own; it ends when the test does, whatever its end.
struct Server {
    process: Child,
    folder: TempDir,
    bin: PathBuf,
    port: u16,
    owner: Option<(u32, u32)>,
}

impl Server {
    /// Starts a server, or returns `None` where PostgreSQL is not installed and need not be.
    fn start() -> Option<Server> {
        let Some(bin) = find_programs() else {
            let required = std::env::var("FIELDCHECK_REQUIRE").is_ok_and(|value| value == "all");
            assert!(!required, "PostgreSQL is not installed (Debian: postgresql)");
            eprintln!("PostgreSQL is not installed: not tested");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let owner = postgres_user();
        if let Some((user, group)) = owner {
            std::os::unix::fs::chown(folder.path(), Some(user), Some(group)).unwrap();
        }
        let (data, password) = (folder.path().join("data"), folder.path().join("password"));
        fs::write(&password, PASSWORD).unwrap();
        fs::set_permissions(&password, fs::Permissions::from_mode(0o644)).unwrap();
        let mut init = as_owner(&bin.join("initdb"), owner);
        init.arg("-D").arg(&data).arg(format!("--pwfile={}", password.display()));
        init.args(["--username=clerk", "--auth-local=trust", "--auth-host=scram-sha-256"]);
        init.args(["--encoding=UTF8", "--locale=C", "--no-sync"]);
        succeeds(&mut init);

        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let mut start = as_owner(&bin.join("postgres"), owner);
        start.arg("-D").arg(&data).arg("-k").arg(folder.path()).args(["-p", &port.to_string()]);
        start.args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]);
        start.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let process = start.spawn().unwrap();
        let server = Server { process, folder, bin, port, owner };
        server.wait_until_it_answers();
        server.sql("postgres", "CREATE DATABASE registers");
        server.sql("registers", "CREATE SCHEMA source; CREATE SEQUENCE counter");
        Some(server)
    }

    fn wait_until_it_answers(&self) {
        let begin = Instant::now();
        loop {
            let mut ready = self.client("pg_isready");
            if ready.stdout(Stdio::null()).status().unwrap().success() {
                return;
            }
            let log = || fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(begin.elapsed() < Duration::from_secs(60), "it does not start: {}", log());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn client(&self, name: &str) -> Command {
        let mut client = Command::new(self.bin.join(name));
        client.arg("-h").arg(self.folder.path()).args([
            "-p",
            &self.port.to_string(),
            "-U",
            "clerk",
        ]);
        client
    }

    fn sql(&self, database: &str, sql: &str) {
        let mut psql = self.client("psql");
        psql.args(["-q", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", sql]);
        succeeds(&mut psql);
    }

    /// Makes the views that the documentation asks for, over tables with one column more.
    fn load(&self, sources: &Sources) {
        for (dataset, columns, dates) in [
            ("notices", &fieldcheck::snapshot::source::NOTICE_COLUMNS[..], ["decided", "valid_to"]),
            ("register", &fieldcheck::snapshot::source::REGISTER_COLUMNS[..], ["issued", ""]),
        ] {
            let typed = columns.iter().map(|column| match *column {
                "notice" => "notice bigint".to_owned(),
                column if dates.contains(&column) => format!("{column} date"),
                column => format!("{column} text"),
            });
            let typed = typed.collect::<Vec<_>>().join(", ");
            self.sql("registers", &format!("CREATE TABLE source.{dataset} ({typed})"));
            let csv = sources.folder.path().join(format!("{dataset}.csv"));
            let mut copy = self.client("psql");
            copy.args(["-q", "-v", "ON_ERROR_STOP=1", "-d", "registers", "-c"]);
            copy.arg(format!("COPY source.{dataset} FROM STDIN (FORMAT csv, HEADER)"));
            succeeds(copy.stdin(fs::File::open(csv).unwrap()));
            let view = format!(
                "CREATE SCHEMA IF NOT EXISTS fieldcheck; CREATE VIEW fieldcheck.{dataset} AS \
                 SELECT *, 'not for a list' AS remark FROM source.{dataset} ORDER BY random()"
            );
            self.sql("registers", &view);
        }
    }

    fn url(&self, host: &str) -> String {
        format!("postgres://clerk@{host}:{}/registers", self.port)
    }

    fn socket_url(&self) -> String {
        let (folder, port) = (self.folder.path().display(), self.port);
        format!("postgres:///registers?host={folder}&port={port}&user=clerk")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let mut stop = as_owner(&self.bin.join("pg_ctl"), self.owner);
        stop.args(["stop", "-m", "immediate", "-s", "-D"]).arg(self.folder.path().join("data"));
        if !stop.status().is_ok_and(|status| status.success()) {
            self.process.kill().unwrap_or_default();
        }
        self.process.wait().ok();
    }
}

/// Returns the folder of the newest programs that are installed.
fn find_programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let folders = versions.filter_map(|entry| Some(entry.ok()?.path().join("bin")));
    let version = |folder: &PathBuf| {
        let name = folder.parent()?.file_name()?.to_str()?;
        name.parse::<u32>().ok()
    };
    folders.filter(|folder| folder.join("postgres").exists()).max_by_key(version)
}

/// PostgreSQL refuses to run as root; then it runs as the user that its package made.
fn postgres_user() -> Option<(u32, u32)> {
    let id = |arguments: &[&str]| {
        let output = Command::new("id").args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().parse::<u32>().unwrap()
    };
    (id(&["-u"]) == 0).then(|| (id(&["-u", "postgres"]), id(&["-g", "postgres"])))
}

fn as_owner(program: &Path, owner: Option<(u32, u32)>) -> Command {
    let mut command = Command::new(program);
    // The folder of the repository may be closed to that user.
    command.current_dir("/").env("LC_ALL", "C");
    if let Some((user, group)) = owner {
        command.uid(user).gid(group);
    }
    command
}

#[track_caller]
fn succeeds(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
}
