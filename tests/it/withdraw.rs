//! An emergency withdrawal from headquarters' keys to the picture that is printed, and the release
//! of a program, both by the built program with key files.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Output};

use fieldcheck::clock::{Clock as _, DeviceTime, SystemClock, TrustedTime};
use fieldcheck::keys::ArgonCost;
use fieldcheck::snapshot::keyfile::{KeyRole, Passphrase, PrivateKey};
use fieldcheck::snapshot::{release, withdrawal};
use sync_format::codec::{self, Kind};
use sync_format::v1::package::{
    Domain, KeySet, Purpose, Role, RoleKeys, Root, RootChain, SignedRoot,
};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_fieldcheckctl");
const PASSPHRASE: &str = "a passphrase of the test";
const ROLES: [Role; 3] = [Role::NoticesAuthor, Role::NoticesApprover, Role::Release];

/// A root of one key, and the key files of three roles.
struct World {
    folder: TempDir,
    root: Root,
    now: i64,
}

impl World {
    fn new() -> World {
        let (now, folder) = (SystemClock.real_time().0, tempfile::tempdir().expect("a folder"));
        let passphrase = Passphrase::from_reader(PASSPHRASE.as_bytes()).expect("long enough");
        let mut roles = Vec::new();
        for role in ROLES {
            let key = PrivateKey::draw(KeyRole::Of(role)).expect("a key");
            let file = key.seal(&passphrase, ArgonCost::default()).expect("a key file");
            let path = folder.path().join(role.code());
            fs::write(&path, file.to_text()).expect("a key file");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("a key file");
            let keys = KeySet { threshold: 1, keys: vec![*key.public().key()] };
            roles.push(RoleKeys { role, keys });
        }
        let key = PrivateKey::draw(KeyRole::Root).expect("a key");
        let root = Root {
            purpose: Purpose::Demo,
            epoch: 1,
            root_version: 1,
            made: now - 10,
            expires: now + 100_000,
            root_keys: KeySet { threshold: 1, keys: vec![*key.public().key()] },
            roles,
        };
        let bytes = codec::encode(Kind::Root, &root).expect("a root");
        let signatures = vec![key.sign(Domain::Root, &bytes)];
        let chain = RootChain(vec![SignedRoot { root: bytes, signatures }]);
        let chain = codec::encode(Kind::RootChain, &chain).expect("a root chain");
        fs::write(folder.path().join("root.bin"), chain).expect("a root chain");
        fs::write(folder.path().join("passphrase"), PASSPHRASE).expect("a passphrase");
        World { folder, root, now }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, arguments: &str) -> Output {
        let mut command = Command::new(PROGRAM);
        command.args(arguments.split(' ')).current_dir(self.folder.path());
        command.output().expect("the program runs")
    }

    fn sign(&self, draft: &str, role: Role) -> Output {
        let key = role.code();
        self.run(&format!("withdraw sign {draft} --key {key} --passphrase-file passphrase"))
    }

    fn time(&self) -> TrustedTime {
        TrustedTime::new(DeviceTime(self.now), DeviceTime(self.now))
    }
}

#[track_caller]
fn assert_succeeds(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

#[track_caller]
fn assert_fails(output: &Output, why: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(why), "{said}");
}

#[test]
fn a_withdrawal_needs_an_author_and_an_approver_and_becomes_a_picture() {
    let world = World::new();
    let new = "withdraw new --notices 9,7,9 --root root.bin";
    assert_fails(&world.run(&format!("{new} --version 2.317 --out w")), "the root is of epoch 1");
    let told = assert_succeeds(&world.run(&format!("{new} --version 1.317 --out w")));
    assert!(told.contains("withdraws  7, 9 of lists up to 1.317"), "{told}");

    assert_fails(&world.sign("w", Role::Release), "a key of release does not withdraw notices");
    assert_succeeds(&world.sign("w", Role::NoticesAuthor));
    assert_fails(&world.sign("w", Role::NoticesAuthor), "this key has signed it already");
    let qr = "withdraw --qr w --root root.bin --out w.png";
    assert_fails(&world.run(qr), "approvers");
    assert!(!world.path("w.png").exists());
    assert_succeeds(&world.sign("w", Role::NoticesApprover));

    let line = assert_succeeds(&world.run(qr));
    let shown = assert_succeeds(&world.run("qr w.png"));
    assert!(shown.contains(line.trim_end()), "{shown}");
    let signed = withdrawal::parse(&line).expect("a line");
    let withdrawn = withdrawal::verify(&signed, &world.root, Purpose::Demo, world.time());
    assert_eq!(withdrawn.expect("a withdrawal").notices, [7, 9]);
}

#[test]
fn a_release_is_signed_by_its_own_key_and_shown_under_the_root() {
    let world = World::new();
    fs::write(world.path("app.apk"), vec![7; 3_000_000]).expect("a program");
    let sign = |key: &str| {
        world.run(&format!(
            "release sign --app 2 --label 0.2.0 --file app.apk --root root.bin --key {key} \
             --passphrase-file passphrase --out r.fcrelease"
        ))
    };
    assert_fails(&sign("notices-author"), "a key of notices-author does not sign releases");
    assert_succeeds(&sign("release"));
    let told = assert_succeeds(&world.run("release show r.fcrelease --root root.bin"));
    assert!(told.contains("program    2 (0.2.0), demo"), "{told}");
    let signed = fs::read(world.path("r.fcrelease")).expect("a release");
    let verified = release::verify(&signed, &world.root, Purpose::Demo, world.time());
    assert_eq!(verified.expect("a release").release().len, 3_000_000);

    let mut changed = signed;
    *changed.last_mut().expect("bytes") ^= 1;
    fs::write(world.path("changed"), changed).expect("a release");
    assert!(!world.run("release show changed --root root.bin").status.success());
}
