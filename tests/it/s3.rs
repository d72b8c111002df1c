//! A repository in a bucket: the built program against an S3 server over HTTP.
//!
//! The server is `s3s` with files behind it: it verifies signatures (SigV4), and it knows
//! conditional writes. Requests are let in one by one, since its comparing and its writing are two
//! steps and those of S3 are one.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use fieldcheck::clock::{Clock as _, SystemClock};
use fieldcheck::snapshot::build::{self, Draft, Terms};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use sync_format::v1::package::Role;
use sync_format::v1::package::seal::Seed;
use tempfile::TempDir;
use tokio::sync::{Mutex, Notify};

use crate::support;

const PROGRAM: &str = env!("CARGO_BIN_EXE_fieldcheckctl");
const BUCKET: &str = "lists";
const KEY_ID: &str = "AKIAFIELDCHECKTEST01";
const SECRET: &str = "a-secret-that-no-message-may-hold-0123456";

/// Holds back the next request that puts `latest`.
#[derive(Default)]
struct Gate {
    closed: AtomicBool,
    reached: AtomicBool,
    open: Notify,
}

/// An S3 server on this machine, ended when it is dropped.
struct Server {
    folder: TempDir,
    endpoint: String,
    gate: Arc<Gate>,
    stop: Arc<Notify>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    fn start() -> Server {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join(BUCKET)).expect("a bucket");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a listener that does not block");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let (gate, stop) = (Arc::new(Gate::default()), Arc::new(Notify::new()));
        let serve = serve(listener, folder.path().to_owned(), Arc::clone(&gate), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(serve);
        });
        Server { folder, endpoint, gate, stop, thread: Some(thread) }
    }

    /// The program, with these credentials and no other word about S3.
    fn command(&self, secret: &str) -> Command {
        let mut command = Command::new(PROGRAM);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("AWS_") {
                command.env_remove(name);
            }
        }
        command
            .env("AWS_ACCESS_KEY_ID", KEY_ID)
            .env("AWS_SECRET_ACCESS_KEY", secret)
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ENDPOINT_URL", &self.endpoint);
        command
    }

    fn publishing(&self, world: &World, draft: &str) -> Command {
        let mut command = self.command(SECRET);
        command.arg("publish").arg(world.path(draft)).arg("--root").arg(world.path("root.bin"));
        command.args(["--to", "s3://lists/fieldcheck/trial"]);
        command
    }

    fn publish(&self, world: &World, draft: &str) -> Output {
        self.publishing(world, draft).output().expect("the program runs")
    }

    fn mirror(&self, stick: &Path) -> Output {
        let mut command = self.command(SECRET);
        command.args(["mirror", "--from", "s3://lists/fieldcheck/trial", "--unit"]);
        command.arg(support::UNIT.to_string()).arg("--to").arg(stick);
        command.output().expect("the program runs")
    }

    fn object(&self, name: &str) -> PathBuf {
        self.folder.path().join(BUCKET).join("fieldcheck/trial").join(name)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic of it has failed the test's requests already.
            let _ = thread.join();
        }
    }
}

async fn serve(listener: TcpListener, folder: PathBuf, gate: Arc<Gate>, stop: Arc<Notify>) {
    let mut builder = S3ServiceBuilder::new(FileSystem::new(folder).expect("a folder"));
    builder.set_auth(SimpleAuth::from_single(KEY_ID, SECRET));
    let service = builder.build();
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
    let one_by_one = Arc::new(Mutex::new(()));
    loop {
        let (stream, _) = tokio::select! {
            accepted = listener.accept() => accepted.expect("a connection"),
            () = stop.notified() => return,
        };
        let (service, gate, one_by_one) =
            (service.clone(), Arc::clone(&gate), Arc::clone(&one_by_one));
        let answer = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
            let (service, gate, one_by_one) =
                (service.clone(), Arc::clone(&gate), Arc::clone(&one_by_one));
            async move {
                let puts_latest =
                    request.method() == "PUT" && request.uri().path().ends_with("/latest");
                if puts_latest && gate.closed.swap(false, Ordering::SeqCst) {
                    gate.reached.store(true, Ordering::SeqCst);
                    gate.open.notified().await;
                }
                let _alone = one_by_one.lock().await;
                service.call(request.map(s3s::Body::from)).await
            }
        });
        tokio::spawn(
            hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), answer),
        );
    }
}

/// Headquarters' folder: a root chain, and drafts with their signatures.
struct World {
    folder: TempDir,
    now: i64,
}

impl World {
    fn new() -> World {
        let now = SystemClock.real_time().0;
        let world = World { folder: tempfile::tempdir().expect("a folder"), now };
        fs::write(world.path("root.bin"), world.root_chain()).expect("a root chain");
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn root_chain(&self) -> Vec<u8> {
        let purpose = sync_format::v1::package::Purpose::Demo;
        let keyring = support::keyring();
        let root = keyring.root(purpose, 1, self.now - 100, self.now + 1_000_000).expect("a root");
        keyring.sign_root(root).expect("a root chain")
    }

    /// Writes the folder of a draft of notices, signed, and returns the draft.
    fn draft(&self, name: &str, version: u64) -> Draft {
        let terms = Terms {
            created: self.now - 10,
            expires: self.now + 100_000,
            ..support::terms(version)
        };
        let seed = Seed::new([version as u8; 32]);
        let rows = [support::wanted(2)];
        let draft = build::notices(&rows, terms, &support::units(), &seed).expect("a draft");
        let folder = self.path(name);
        fs::create_dir(&folder).expect("a folder");
        let write = |name: String, bytes: &[u8]| {
            fs::write(folder.join(name), bytes).expect("a part of a draft");
        };
        write("manifest.bin".to_owned(), &draft.manifest);
        write("inner.bin".to_owned(), &draft.inner);
        write("root.bin".to_owned(), &self.root_chain());
        write("facts.txt".to_owned(), b"a trial\n");
        write("seed".to_owned(), hex(seed.expose()).as_bytes());
        for (unit, envelope) in &draft.envelopes {
            write(format!("envelope-{unit:04}.bin"), envelope);
        }
        for (at, chunk) in draft.chunks.iter().enumerate() {
            write(format!("chunk-{at:05}.bin"), chunk);
        }
        for role in [Role::NoticesAuthor, Role::NoticesApprover] {
            for signature in support::keyring().sign_manifest(role, &draft.manifest) {
                let bytes = [&signature.key_id[..], &signature.bytes[..]].concat();
                write(format!("{}.sig", hex(&signature.key_id)), &bytes);
            }
        }
        draft
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn said(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8(both).expect("text")
}

#[track_caller]
fn assert_fails(output: &Output, why: &str) {
    let said = said(output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(why), "{said}");
    assert!(!said.contains(SECRET) && !said.contains(KEY_ID), "{said}");
}

#[track_caller]
fn assert_succeeds(output: &Output) -> String {
    let said = said(output);
    assert!(output.status.success(), "{said}");
    said
}

#[test]
fn lists_are_published_into_a_bucket_and_copied_from_it() {
    let (server, world) = (Server::start(), World::new());
    let stick = tempfile::tempdir().expect("a stick");
    assert_fails(&server.mirror(stick.path()), "nothing is published here");
    let draft = world.draft("first", 3);
    let told = assert_succeeds(&server.publish(&world, "first"));
    assert!(told.contains("published  notices 1.3 for 1 unit"), "{told}");
    assert!(told.contains("repository serial 1, 5 objects written"), "{told}");

    let told = assert_succeeds(&server.mirror(stick.path()));
    assert!(told.contains("copied   notices-1-3.fcsnap"), "{told}");
    let sign = |role| support::keyring().sign_manifest(role, &draft.manifest);
    let mut signatures = [sign(Role::NoticesAuthor), sign(Role::NoticesApprover)].concat();
    // As the files of the draft lie in their folder.
    signatures.sort_by_key(|signature| signature.key_id);
    let expected =
        draft.package(support::UNIT, &world.root_chain(), signatures).expect("a package");
    let copied = fs::read(stick.path().join("fieldcheck/notices-1-3.fcsnap")).expect("a copy");
    assert!(copied == expected, "the copy is another");

    let told = assert_succeeds(&server.mirror(stick.path()));
    assert!(told.contains("0 bytes copied"), "{told}");
}

#[test]
fn a_bucket_is_never_led_back_and_torn_objects_are_named() {
    let (server, world) = (Server::start(), World::new());
    world.draft("third", 3);
    world.draft("second", 2);
    let fourth = world.draft("fourth", 4);
    assert_succeeds(&server.publish(&world, "third"));
    let latest = fs::read(server.object("latest")).expect("latest");
    let backwards = "does not come after 1.3, which is published";
    assert_fails(&server.publish(&world, "second"), backwards);
    assert_fails(&server.publish(&world, "third"), backwards);
    assert_eq!(fs::read(server.object("latest")).expect("latest"), latest);

    assert_succeeds(&server.publish(&world, "fourth"));
    let name = hex(&sync_format::v1::package::sha256(&fourth.chunks[0]));
    let object = server.object("objects").join(&name[..2]).join(&name);
    let mut bytes = fs::read(&object).expect("an object");
    bytes[0] ^= 1;
    fs::write(&object, &bytes).expect("an object");
    let stick = tempfile::tempdir().expect("a stick");
    assert_fails(&server.mirror(stick.path()), &format!("object {name} is damaged"));
    fs::remove_file(&object).expect("an object");
    assert_fails(&server.mirror(stick.path()), &format!("object {name} is missing"));
    assert!(!stick.path().join("fieldcheck/notices-1-4.fcsnap").exists());
}

#[test]
fn of_two_publishers_at_once_the_second_is_told() {
    let (server, world) = (Server::start(), World::new());
    for (name, version) in [("first", 1), ("slow", 2), ("fast", 3)] {
        world.draft(name, version);
    }
    let race = |slow: &str, fast: &str| {
        server.gate.reached.store(false, Ordering::SeqCst);
        server.gate.closed.store(true, Ordering::SeqCst);
        let mut slow = server.publishing(&world, slow);
        let slow: Child =
            slow.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program runs");
        // Everything of it is uploaded; what it knows of `latest` is what was there before.
        while !server.gate.reached.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_succeeds(&server.publish(&world, fast));
        server.gate.open.notify_one();
        assert_fails(
            &slow.wait_with_output().expect("the program ends"),
            "somebody else has published meanwhile",
        );
    };
    // Both see an empty bucket; then both see the same list.
    race("slow", "first");
    race("slow", "fast");
    let stick = tempfile::tempdir().expect("a stick");
    let told = assert_succeeds(&server.mirror(stick.path()));
    assert!(told.contains("notices-1-3.fcsnap"), "{told}");
}

#[test]
fn credentials_come_from_the_environment_and_go_nowhere() {
    let (server, world) = (Server::start(), World::new());
    world.draft("first", 1);
    let publish = |command: &mut Command, to: &str| {
        command.arg("publish").arg(world.path("first")).arg("--root").arg(world.path("root.bin"));
        command.args(["--to", to]).output().expect("the program runs")
    };
    let to = "s3://lists/trial";
    let wrong = "another-secret-that-is-wrong-0123456789ab";
    let refused = publish(&mut server.command(wrong), to);
    assert_fails(&refused, "access is refused");
    assert!(!said(&refused).contains(wrong));
    let without = publish(server.command(SECRET).env_remove("AWS_SECRET_ACCESS_KEY"), to);
    assert_fails(&without, "AWS_SECRET_ACCESS_KEY is not set");
    let clear = publish(server.command(SECRET).env("AWS_ENDPOINT_URL", "http://s3.test"), to);
    assert_fails(&clear, "AWS_ENDPOINT_URL is not https");
    let inside = publish(&mut server.command(SECRET), &format!("s3://{KEY_ID}:{SECRET}@lists"));
    assert_eq!(inside.status.code(), Some(2));
}
