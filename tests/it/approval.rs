//! A list on its way through headquarters: built by one person, approved and signed by others, each on a
//! machine of his own, and carried between them by file.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use fieldcheck::chip::algorithm::SignatureAlgorithm;
use fieldcheck::chip::certificate::Certificate;
use fieldcheck::chip::curves::{Curve, SigningKey};
use fieldcheck::chip::hash::HashAlgorithm;
use fieldcheck::chip::issue::{self, CertificateDraft, IssuerKey};
use fieldcheck::chip::simulated::issuer::{Algorithms, Issuer};
use fieldcheck::snapshot::units::{KnownDevice, write_devices};
use sync_format::v1::package::seal::SealSecret;
use tempfile::TempDir;

use super::cli::{Ended, program, run};

const NOTICES: &str = "\
notice,category,code,decision,issuer,decided,valid_to,action,contact,name,aliases,birth,sex,numbers,caution,marks
1,W1,173,QĐ 1/QĐ-MẪU,Cơ quan mẫu,2026-03-01,2100-03-01,verify-and-report,000,Nguyễn Mẫu Hùng,,1988-02-14,M,cccd:040088999908,,
2,X1,36.2,QĐ 2/QĐ-MẪU,Cơ quan mẫu,2026-03-02,2100-03-01,deny-exit,000,Phan Mẫu Long,,1989,,cccd:079089999912,,
3,D2,,QĐ 3/QĐ-MẪU,Cơ quan mẫu,2026-03-03,2100-03-01,hold-document,000,,,,,cccd:033089999920,,
";

/// One notice changed in two fields, one withdrawn, one new.
fn later_notices() -> String {
    let changed = NOTICES
        .replace("Nguyễn Mẫu Hùng,,1988-02-14", "Nguyễn Mẫu Hưng,,1988-02-15")
        .replace(NOTICES.lines().nth(2).unwrap(), "");
    changed.replace("\n\n", "\n") + &NOTICES.lines().nth(3).unwrap().replacen('3', "4", 1) + "\n"
}

const REGISTER: &str = "\
number,name,birth,issued,status
040088999908,Nguyễn Mẫu Hùng,1988-02-14,2023-05-06,valid
040088999909,Nguyễn Thử An,1988-02-15,2023-05-06,valid
079089999912,Phan Mẫu Long,1989,,lost
079089999913,Phan Mẫu Phụng,1989-04-05,2022-01-02,valid
";

/// One card replaced and one person new in region 079, one gone from region 040.
const LATER_REGISTER: &str = "\
number,name,birth,issued,status
040088999908,Nguyễn Mẫu Hùng,1988-02-14,2023-05-06,valid
079089999912,Phan Mẫu Long,1989,2026-07-08,valid
079089999913,Phan Mẫu Phụng,1989-04-05,2022-01-02,valid
079089999914,Lê Thử Bình,1990-04-05,2022-01-02,valid
";

#[test]
fn two_people_make_a_list_of_notices_and_one_cannot() {
    let office = Office::new();
    office.write("notices.csv", NOTICES);
    let draft = office.builds("notices", "notices.csv", 1, &[]);

    refuses(office.sign(&draft, "approver"), "not approved on this machine");
    succeeds(&mut office.sign(&draft, "author"));
    refuses(office.package(&draft), "0 of 1 signatures of the approvers are valid");

    // The builder approves his own draft: the mark is worth nothing on the approver's machine.
    let builders_state = office.path("state-of-the-builder");
    let mut own_approval = office.approve(&draft, "notices.csv", &[]);
    succeeds(own_approval.env("XDG_STATE_HOME", builders_state));
    refuses(office.sign(&draft, "approver"), "not approved on this machine");
    let said = said(&mut office.approve(&draft, "notices.csv", &[]));
    assert!(said.ends_with("byte for byte what was built here; not signed\n"), "{said}");
    succeeds(&mut office.sign(&draft, "approver"));

    succeeds(&mut office.package(&draft));
    let package = office.path("out.fcsnap");
    let mut verify = program("snapshot");
    verify.arg("verify").arg(&package).arg("--root").arg(office.path("root.bin"));
    verify.arg("--seed").arg(draft.join("seed"));
    let ended = run(&mut verify);
    assert_eq!(ended.status, Some(0), "{ended:?}");
    assert!(ended.out.contains("notices    W1 1, X1 1, D2 1"), "{ended:?}");
}

#[test]
fn only_keys_that_the_root_names_for_a_list_sign_it() {
    let office = Office::new();
    office.write("notices.csv", NOTICES);
    office.write("register.csv", REGISTER);
    let notices = office.builds("notices", "notices.csv", 1, &[]);
    let register = office.builds("register", "register.csv", 1, &["--regions", "040,079"]);
    let does_not_sign =
        |key: &str, list: &str| format!("a key of {key} does not sign a list of {list}");
    refuses(office.sign(&notices, "register"), &does_not_sign("register", "notices"));
    refuses(office.sign(&notices, "root"), &does_not_sign("root", "notices"));
    refuses(office.sign(&register, "author"), &does_not_sign("notices-author", "register"));
    office.create_key("stranger", "register");
    refuses(office.sign(&register, "stranger"), "does not name this key as one of register");
    succeeds(&mut office.sign(&register, "register"));
    refuses(office.sign(&register, "register"), "File exists");
}

#[test]
fn approval_sees_one_changed_bit_of_every_file_and_names_it() {
    let office = Office::new();
    office.write("register.csv", REGISTER);
    let draft = office.builds("register", "register.csv", 1, &["--regions", "040,079"]);
    let mut names: Vec<String> = files_in(&draft).into_keys().collect();
    names.retain(|name| name != "seed");
    assert_eq!(names.len(), 7, "{names:?}");
    for name in names {
        let path = draft.join(&name);
        let bytes = fs::read(&path).unwrap();
        let mut changed = bytes.clone();
        *changed.last_mut().unwrap() ^= 1;
        fs::write(&path, &changed).unwrap();
        let ended = run(&mut office.approve(&draft, "register.csv", &[]));
        assert_eq!(ended.status, Some(1), "{name}: {ended:?}");
        let said = ended.out + &ended.err;
        assert!(said.contains(&name), "{name}: {said}");
        assert!(!draft.join("approved").exists(), "{name}");
        fs::write(&path, &bytes).unwrap();
    }
    let odd = draft.join("chunk-00009.bin");
    fs::write(&odd, b"a stowaway").unwrap();
    let ended = run(&mut office.approve(&draft, "register.csv", &[]));
    assert!(ended.out.contains("differs    chunk-00009.bin"), "{ended:?}");
    fs::remove_file(odd).unwrap();
    succeeds(&mut office.approve(&draft, "register.csv", &[]));
}

#[test]
fn approval_sees_one_changed_cell_of_the_source_and_takes_the_mark_back() {
    let office = Office::new();
    office.write("notices.csv", NOTICES);
    let draft = office.builds("notices", "notices.csv", 1, &[]);
    succeeds(&mut office.approve(&draft, "notices.csv", &[]));
    assert!(draft.join("approved").exists());

    office.write("other.csv", &NOTICES.replace("1988-02-14", "1988-02-15"));
    let ended = run(&mut office.approve(&draft, "other.csv", &[]));
    assert_eq!(ended.status, Some(1), "{ended:?}");
    assert!(ended.out.contains("differs    manifest.bin\n"), "{ended:?}");
    assert!(ended.out.contains("differs    chunk-00000.bin\n"), "{ended:?}");
    assert!(ended.out.contains("NOT EQUAL: "), "{ended:?}");
    assert!(!draft.join("approved").exists(), "what was approved before is not any more");
    refuses(office.sign(&draft, "approver"), "not approved on this machine");

    // As much as another device, or another root.
    office.write("devices.csv", &devices(2));
    let ended = run(&mut office.approve(&draft, "notices.csv", &[]));
    assert!(ended.out.contains("differs    envelope-0001.bin\n"), "{ended:?}");
}

#[test]
fn approval_shows_what_changed_against_the_published_version() {
    let office = Office::new();
    for (name, text) in [
        ("n1.csv", NOTICES),
        ("n2.csv", &later_notices()),
        ("r1.csv", REGISTER),
        ("r2.csv", LATER_REGISTER),
    ] {
        office.write(name, text);
    }
    let first = office.builds("notices", "n1.csv", 1, &[]);
    let second = office.builds("notices", "n2.csv", 2, &[]);
    let previous = ["--previous", first.to_str().unwrap()];
    let said = said(&mut office.approve(&second, "n2.csv", &previous));
    let expected = "against    version 1 of 2026-11-24T06:30:00Z\n\
                    added      1: D2 1\n\
                    changed    1: W1 1\n\
                    withdrawn  1: X1 1\n  \
                      + 4 D2\n  \
                      ~ 1 W1 name, birth\n  \
                      - 2 X1\n\
                    EQUAL: ";
    assert!(said.contains(expected), "{said}");
    for line in said.lines().filter(|line| !line.starts_with("manifest ")) {
        for personal in ["Nguyễn", "Phan", "04008", "07908", "1988", "1989"] {
            assert!(!line.contains(personal), "{line}");
        }
    }
    let shown = [&previous[..], &["--show-rows"]].concat();
    let said = self::said(&mut office.approve(&second, "n2.csv", &shown));
    assert!(said.contains("  - 2 X1  Phan Mẫu Long cccd:079089999912\n"), "{said}");

    let regions = ["--regions", "040,079"];
    let first = office.builds("register", "r1.csv", 1, &regions);
    let second = office.builds("register", "r2.csv", 2, &regions);
    let previous = ["--previous", first.to_str().unwrap(), "--show-rows"];
    let said = self::said(&mut office.approve(&second, "r2.csv", &previous));
    let expected = "added      1: 079 1\n\
                    changed    1: 079 1\n\
                    removed    1: 040 1\n  \
                      - 040088******\n  \
                      ~ 079089******\n  \
                      + 079089******\n\
                    EQUAL: ";
    assert!(said.contains(expected), "{said}");
    refuses(
        office.approve(&first, "r1.csv", &["--previous", second.to_str().unwrap()]),
        "version 2 does not come before version 1",
    );
}

#[test]
fn a_base_and_its_delta_are_the_full_list_of_the_later_source() {
    let office = Office::new();
    for (dataset, before, now, regions) in [
        ("notices", NOTICES, later_notices(), &[][..]),
        ("register", REGISTER, LATER_REGISTER.to_owned(), &["--regions", "040,079"][..]),
    ] {
        office.write("before.csv", before);
        office.write("now.csv", &now);
        let base = office.builds(dataset, "before.csv", 1, regions);
        let on_base = ["--base", base.to_str().unwrap()];
        let delta = office.builds(dataset, "now.csv", 2, &on_base);
        let facts = fs::read_to_string(delta.join("facts.txt")).unwrap();
        let withdrawn = if dataset == "notices" { "2 in 1 chunk" } else { "3 in 2 chunks" };
        assert!(facts.contains("kind       delta, all changes since version 1 "), "{facts}");
        assert!(facts.contains(&format!("rows       {withdrawn}\n")), "{facts}");
        let said = self::said(&mut office.approve(&delta, "now.csv", &on_base));
        assert!(said.contains("EQUAL: ") && !said.contains("NOT EQUAL"), "{said}");
        refuses(
            office.approve(&delta, "now.csv", &[]),
            "name the full list of version 1 by --base",
        );

        // What a device has after both is compared with the later source, row by row.
        let full = office.builds(dataset, "now.csv", 3, regions);
        let previous = [&["--previous", delta.to_str().unwrap()], &on_base[..]].concat();
        let said = self::said(&mut office.approve(&full, "now.csv", &previous));
        let last = if dataset == "notices" { "withdrawn" } else { "removed  " };
        let nothing = format!("added      0\nchanged    0\n{last}  0\nEQUAL: ");
        assert!(said.contains(&nothing), "{said}");

        // A package of it holds for a device that has the base.
        if dataset == "register" {
            succeeds(&mut office.sign(&delta, "register"));
            succeeds(&mut office.package(&delta));
        }
    }
}

#[test]
fn rows_that_were_refused_are_counted_told_and_left_out_only_by_both() {
    let office = Office::new();
    let lapsed = NOTICES.replace("2100-03-01,deny-exit", "2026-11-23,deny-exit");
    office.write("notices.csv", &lapsed);
    let report = office.path("refused.tsv");
    let more = ["--report", report.to_str().unwrap()];
    refuses(
        office.build("notices", "notices.csv", 1, &more),
        "1 of 3 rows were refused; nothing is built",
    );
    let reason = "valid_to 2026-11-23 is over when the list is made";
    let expected = format!("line\tcolumn\treason\n3\tvalid_to\t{reason}\n");
    assert_eq!(fs::read_to_string(&report).unwrap(), expected);

    let draft = office.builds("notices", "notices.csv", 1, &["--allow-refused", "1"]);
    let facts = fs::read_to_string(draft.join("facts.txt")).unwrap();
    assert!(facts.contains("REFUSED    1 row of the source, not in this list\n"), "{facts}");
    refuses(office.approve(&draft, "notices.csv", &[]), "1 of 3 rows were refused");
    succeeds(&mut office.approve(&draft, "notices.csv", &["--allow-refused", "1"]));
    let beside = PathBuf::from(format!("{}.refused.tsv", draft.display()));
    assert_eq!(fs::read_to_string(beside).unwrap(), expected);

    // Another source in which everything is as it should be is not what was built.
    office.write("whole.csv", NOTICES);
    let ended = run(&mut office.approve(&draft, "whole.csv", &["--allow-refused", "1"]));
    assert!(ended.out.contains("NOT EQUAL"), "{ended:?}");
}

#[test]
fn the_seed_is_its_owners_and_new_for_each_draft() {
    use std::os::unix::fs::PermissionsExt as _;

    let office = Office::new();
    office.write("notices.csv", NOTICES);
    let (first, second) = (
        office.builds("notices", "notices.csv", 1, &[]),
        office.builds("notices", "notices.csv", 2, &[]),
    );
    let mode = fs::metadata(first.join("seed")).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    assert_ne!(fs::read(first.join("seed")).unwrap(), fs::read(second.join("seed")).unwrap());
}

/// A state by its number; all have one name.
fn state(number: u64) -> Issuer {
    Issuer::new(number, Algorithms::Nist)
}

/// The list of revoked certificates that a state makes on a day.
fn revocations(number: u64, made: &str) -> Vec<u8> {
    let next = "2027-12-31".parse().unwrap();
    state(number).revocations(&[&[7]], made.parse().unwrap(), next)
}

#[test]
fn anchors_are_built_from_a_folder_approved_signed_and_packed() {
    let office = Office::new();
    let folder = office.path("anchors");
    fs::create_dir(&folder).unwrap();
    let put = |name: &str, bytes: Vec<u8>| fs::write(folder.join(name), bytes).unwrap();
    let (first, second) = (state(1).anchor(), state(2).anchor());
    put("first.cer", first.clone());
    put("second.der", second.clone());
    put("list.crl", revocations(2, "2026-11-01"));
    let draft = office.builds("anchors", "anchors", 1, &[]);
    refuses(office.sign(&draft, "register"), "a key of register does not sign a list of anchors");
    refuses(office.package(&draft), "0 of 1 signatures of the anchors are valid");

    // The approver has the same files under other names, and one of them twice.
    fs::rename(folder.join("first.cer"), folder.join("z.CRT")).unwrap();
    put("copy.cer", second);
    let ended = run(&mut office.approve(&draft, "anchors", &[]));
    assert_eq!(ended.status, Some(0), "{ended:?}");
    assert!(ended.err.contains("second.der repeats what is in copy.cer: taken once"), "{ended:?}");
    assert!(ended.out.contains("anchors    certificate 2, revocation-list 1\n"), "{ended:?}");
    assert!(ended.out.contains("added      3: certificate 2, revocation-list 1\n"), "{ended:?}");
    let length = first.len();
    let line = format!("\n  certificate      VN  {length:>6} bytes  ");
    assert!(ended.out.contains(&line), "{ended:?}");
    succeeds(&mut office.sign(&draft, "anchors"));
    succeeds(&mut office.package(&draft));
    let mut verify = program("snapshot");
    verify.arg("verify").arg(office.path("out.fcsnap")).arg("--root").arg(office.path("root.bin"));
    let ended = run(verify.arg("--seed").arg(draft.join("seed")));
    assert_eq!(ended.status, Some(0), "{ended:?}");
    assert!(ended.out.contains("by the signatures of the anchors' key"), "{ended:?}");
    assert!(ended.out.contains("\n  revocation-list  VN  "), "{ended:?}");

    // The next version: one certificate gone, another revocation list.
    fs::remove_file(folder.join("z.CRT")).unwrap();
    put("list.crl", revocations(2, "2026-11-08"));
    let second = office.builds("anchors", "anchors", 2, &[]);
    let previous = draft.to_str().unwrap();
    let said = said(&mut office.approve(&second, "anchors", &["--previous", previous]));
    assert!(said.contains("added      1: revocation-list 1\n"), "{said}");
    assert!(said.contains("removed    2: certificate 1, revocation-list 1\n"), "{said}");
    assert!(said.contains("\n  + revocation-list  VN  "), "{said}");
    assert!(said.contains(&format!("\n  - certificate      VN  {length:>6} bytes  ")), "{said}");
    put("list.crl", revocations(2, "2026-11-15"));
    let ended = run(&mut office.approve(&second, "anchors", &[]));
    assert!(ended.out.contains("NOT EQUAL: "), "{ended:?}");
}

#[test]
fn a_folder_of_anchors_is_taken_whole_or_not_at_all() {
    let office = Office::new();
    let folder = office.path("anchors");
    fs::create_dir(&folder).unwrap();
    let build = |more: &[&str]| office.build("anchors", "anchors", 1, more);
    refuses(build(&[]), "no certificate and no revocation list");
    fs::write(folder.join("first.cer"), state(1).anchor()).unwrap();
    refuses(build(&["--regions", "all"]), "anchors are national and have no --regions");
    refuses(build(&["--base", "anchors-0"]), "anchors have no deltas, and take no --base");
    refuses(build(&["--allow-refused", "1"]), "anchors are taken whole or not at all");
    fs::write(folder.join("readme.txt"), "what these are").unwrap();
    refuses(build(&[]), "readme.txt: neither a certificate (.cer, .crt, .der, .pem) nor");
    fs::rename(folder.join("readme.txt"), folder.join("readme.crl")).unwrap();
    refuses(build(&[]), "readme.crl: not DER: ");
    fs::remove_file(folder.join("readme.crl")).unwrap();
    fs::create_dir(folder.join("more")).unwrap();
    refuses(build(&[]), "more: this is no file");
    fs::remove_dir(folder.join("more")).unwrap();
    fs::copy(office.path("root.key"), folder.join("root.pem")).unwrap();
    refuses(build(&[]), "root.pem: no PEM block");
    fs::remove_file(folder.join("root.pem")).unwrap();
    fs::write(folder.join("signer.cer"), state(1).signer().der()).unwrap();
    refuses(
        build(&[]),
        "signer.cer: a certificate that proves nothing: the certificate is not one",
    );
    fs::remove_file(folder.join("signer.cer")).unwrap();
    fs::write(folder.join("list.crl"), revocations(2, "2026-11-01")).unwrap();
    refuses(build(&[]), "list.crl: a revocation list that revokes nothing: the list is not signed");
    fs::remove_file(folder.join("list.crl")).unwrap();
    assert!(!office.path("anchors-1").exists(), "nothing was made of the rest");
    succeeds(&mut build(&[]));
}

#[test]
fn a_master_list_is_taken_without_what_proves_nothing() {
    let office = Office::new();
    let folder = office.path("anchors");
    fs::create_dir(&folder).unwrap();
    let (first, second) = (state(1), state(2));
    // Its publisher is nobody whom the list names: whoever signs the anchors vouches for it.
    let (signer, key) = publisher();
    let certificates = [&first.anchor()[..], &second.anchor(), first.signer().der()];
    let signed_on = Some("2026-11-01".parse().unwrap());
    let algorithm = SignatureAlgorithm::Ecdsa(HashAlgorithm::Sha256);
    let list = issue::master_list(&certificates, signed_on, &signer, &key, algorithm);
    fs::write(folder.join("world.ml"), list.unwrap()).unwrap();
    let ended = run(&mut office.build("anchors", "anchors", 1, &[]));
    assert_eq!(ended.status, Some(0), "{ended:?}");
    let said =
        "world.ml: 1 of 3 certificates left out (1: the certificate is not one of an authority)";
    assert!(ended.err.contains(said), "{ended:?}");
    assert!(ended.out.contains("anchors    certificate 2\n"), "{ended:?}");
}

/// A certificate of an invented publisher of master lists, with its key.
fn publisher() -> (Certificate, IssuerKey) {
    let key = IssuerKey::Ec(SigningKey::new(Curve::P256, b"secret of a publisher").unwrap());
    let name = issue::office("UT", "Master List Signer");
    let validity = ("2020-01-01".parse().unwrap(), "2035-12-31".parse().unwrap());
    let draft = CertificateDraft::authority(name, &key, &key, validity);
    let algorithm = SignatureAlgorithm::Ecdsa(HashAlgorithm::Sha256);
    (Certificate::parse(&draft.sign(&key, algorithm).unwrap()).unwrap(), key)
}

/// Headquarters: one folder, in which keys, sources and drafts lie.
struct Office {
    folder: TempDir,
}

/// Keys are slow to make on purpose: they are made once.
fn keys() -> &'static Path {
    static KEYS: OnceLock<TempDir> = OnceLock::new();
    let folder = KEYS.get_or_init(|| {
        let office = Office { folder: tempfile::tempdir().unwrap() };
        office.write("passphrase", "sông Hồng mùa nước nổi\n");
        let keys = [
            ("root", "root"),
            ("author", "notices-author"),
            ("approver", "notices-approver"),
            ("register", "register"),
            ("anchors", "anchors"),
        ];
        for (name, role) in keys {
            office.create_key(name, role);
        }
        let mut draft = office.keys("draft", &["--purpose", "demo", "--threshold", "1"]);
        draft.arg("--pub").args(keys.map(|(name, _)| office.path(&format!("{name}.pub"))));
        succeeds(draft.arg("--out").arg(office.path("root.draft")));
        let mut sign = office.keys("sign", &["--yes", "--key"]);
        sign.arg(office.path("root.key")).arg("--passphrase-file").arg(office.path("passphrase"));
        succeeds(sign.arg(office.path("root.draft")));
        let mut finish = office.keys("finish", &["--out"]);
        finish.arg(office.path("root.bin")).arg(office.path("root.draft"));
        succeeds(&mut finish);
        office.folder
    });
    folder.path()
}

fn devices(seed: u8) -> String {
    let mut sign_key = [0; 33];
    // The base point of P-256 (SEC 2, 2.4.2), compressed: no device has it.
    let point = "036b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296";
    for (byte, at) in sign_key.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(&point[at..at + 2], 16).unwrap();
    }
    let seal_key = SealSecret::new([seed; 32]).public();
    write_devices(&[KnownDevice { id: [1; 16], unit: 1, seal_key, sign_key, revoked: None }])
}

impl Office {
    fn new() -> Office {
        let office = Office { folder: tempfile::tempdir().unwrap() };
        for entry in fs::read_dir(keys()).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, office.path(path.file_name().unwrap().to_str().unwrap())).unwrap();
        }
        let units = "unit,regions,fresh_hours,usable_hours,chip_required\n1,all,,,no\n";
        office.write("units.csv", units);
        office.write("devices.csv", &devices(1));
        office
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn keys(&self, step: &str, more: &[&str]) -> Command {
        let mut keys = program("keys");
        keys.arg(step).args(more);
        keys
    }

    fn create_key(&self, name: &str, role: &str) {
        let mut create = self.keys("create", &["--role", role, "--out"]);
        create.arg(self.path(&format!("{name}.key")));
        succeeds(create.arg("--passphrase-file").arg(self.path("passphrase")));
    }

    /// A command about a list, with the files that both the builder and the approver have.
    fn about(&self, words: &[&str], source: &str) -> Command {
        let mut command = program("snapshot");
        command.args(words).arg("--in").arg(self.path(source));
        command.arg("--units").arg(self.path("units.csv"));
        command.arg("--devices").arg(self.path("devices.csv"));
        command.arg("--root").arg(self.path("root.bin"));
        command
    }

    fn build(&self, dataset: &str, source: &str, version: u32, more: &[&str]) -> Command {
        let mut build = self.about(&["build", dataset], source);
        build.args(["--created", "2026-11-24T06:30:00Z", "--expires-days", "3650"]);
        build.args(["--version", &version.to_string()]).args(more);
        build.arg("--out").arg(self.path(&format!("{dataset}-{version}")));
        build
    }

    /// Builds a draft and returns where it lies.
    #[track_caller]
    fn builds(&self, dataset: &str, source: &str, version: u32, more: &[&str]) -> PathBuf {
        succeeds(&mut self.build(dataset, source, version, more));
        self.path(&format!("{dataset}-{version}"))
    }

    fn approve(&self, draft: &Path, source: &str, more: &[&str]) -> Command {
        let mut approve = self.about(&["approve", draft.to_str().unwrap()], source);
        approve.args(more).env("XDG_STATE_HOME", self.path("state-of-the-approver"));
        approve
    }

    fn sign(&self, draft: &Path, key: &str) -> Command {
        let mut sign = program("snapshot");
        sign.arg("sign").arg(draft).arg("--key").arg(self.path(&format!("{key}.key")));
        sign.arg("--passphrase-file").arg(self.path("passphrase"));
        sign.env("XDG_STATE_HOME", self.path("state-of-the-approver"));
        sign
    }

    fn package(&self, draft: &Path) -> Command {
        let mut package = program("snapshot");
        package.arg("package").arg(draft).args(["--unit", "1", "--force", "--out"]);
        package.arg(self.path("out.fcsnap"));
        package
    }
}

#[track_caller]
fn succeeds(command: &mut Command) {
    let ended = run(command);
    assert_eq!(ended.status, Some(0), "{ended:?}");
}

#[track_caller]
fn said(command: &mut Command) -> String {
    let Ended { status, out, err } = run(command);
    assert_eq!(status, Some(0), "{out}{err}");
    out
}

#[track_caller]
fn refuses(mut command: Command, why: &str) {
    let ended = run(&mut command);
    assert_eq!(ended.status, Some(1), "{ended:?}");
    assert!(ended.err.contains(why), "{why}: {ended:?}");
}

fn files_in(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect()
}
