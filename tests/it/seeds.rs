//! The seeds of the fuzz targets: what each of them begins with, made by the builders of the invented
//! state.
//!
//! `FIELDCHECK_BLESS=1` writes them anew into `fuzz/seeds`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use fieldcheck::chip::algorithm::SignatureAlgorithm;
use fieldcheck::chip::certificate::Certificate;
use fieldcheck::chip::curves::{Curve, SigningKey};
use fieldcheck::chip::files::FileId;
use fieldcheck::chip::hash::HashAlgorithm;
use fieldcheck::chip::issue::{self, CertificateDraft, IssuerKey};
use fieldcheck::chip::simulated::contents::{Contents, Making};
use fieldcheck::chip::simulated::holder::{Dg13Form, Holder};
use fieldcheck::chip::simulated::issuer::{Algorithms, DEMO_STATE, Issuer};
use fieldcheck::chip::simulated::portrait::Portrait;
use fieldcheck::chip::tlv;
use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage};
use sync_format::v1::date::Date;

#[test]
fn seeds_of_the_fuzz_targets_are_what_the_builders_make() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
    let seeds = seeds();
    if std::env::var_os("FIELDCHECK_BLESS").is_some() {
        for (name, bytes) in &seeds {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
    }
    let mut found = Vec::new();
    for target in fs::read_dir(&folder).unwrap() {
        let target = target.unwrap();
        for seed in fs::read_dir(target.path()).unwrap() {
            let (target, seed) = (target.file_name(), seed.unwrap());
            let name =
                format!("{}/{}", target.to_str().unwrap(), seed.file_name().to_str().unwrap());
            let is_right =
                seeds.get(&name).is_some_and(|bytes| *bytes == fs::read(seed.path()).unwrap());
            assert!(is_right, "{name}: no builder makes this");
            found.push(name);
        }
    }
    found.sort();
    assert_eq!(found, seeds.into_keys().collect::<Vec<_>>());
}

#[test]
fn every_fuzz_target_has_seeds_and_is_named_in_its_manifest() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    for target in fs::read_dir(fuzz.join("fuzz_targets")).unwrap() {
        let target = target.unwrap().path();
        let name = target.file_stem().unwrap().to_str().unwrap();
        assert!(fuzz.join("seeds").join(name).is_dir(), "{name} has no seeds");
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name}");
    }
}

const ALL: [(&str, Algorithms); 3] =
    [("brainpool", Algorithms::Brainpool), ("nist", Algorithms::Nist), ("rsa", Algorithms::Rsa)];

fn day(text: &str) -> Date {
    text.parse().unwrap()
}

/// Returns the seeds, by target and name.
fn seeds() -> BTreeMap<String, Vec<u8>> {
    let mut seeds = BTreeMap::new();
    let mut add = |name: &str, bytes: Vec<u8>| {
        assert!(seeds.insert(name.to_owned(), bytes).is_none(), "{name}");
    };
    let holder = Holder::nguyen_van_mau();
    let making = Making { portrait: Portrait::Jpeg(2_000), ..Making::default() };
    let contents = Contents::new(&Issuer::new(DEMO_STATE, Algorithms::Nist), &holder, &making);
    let file = |file: FileId| contents.files[&file].clone();

    for (name, algorithms) in ALL {
        let issuer = Issuer::new(DEMO_STATE, algorithms);
        let groups: [(u8, &[u8]); 2] = [(1, b"one"), (2, b"two")];
        add(&format!("sod/{name}"), issuer.security_object(&groups, Some(day("2021-08-15"))));
        add(&format!("certificate/{name}"), issuer.anchor());
        add(&format!("certificate/{name}-signer"), issuer.signer().der().to_vec());
        let list = issuer.revocations(&[&[2], &[3, 4]], day("2026-11-01"), day("2026-12-01"));
        add(&format!("crl_and_master_list/{name}-revocations"), list);
    }
    add("sod/no-signing-time", {
        let issuer = Issuer::new(DEMO_STATE, Algorithms::Nist);
        issuer.security_object(&[(1, b"one")], None)
    });
    add("crl_and_master_list/master-list", master_list());

    add("tlv/sod", file(FileId::Sod));
    add("tlv/security-infos", file(FileId::Dg(14)));
    // A byte string in pieces, in an element without a length (X.690, 8.1.3.6).
    let open = [0x30, 0x80, 0x24, 0x80, 0x04, 0x01, 0x41, 0x04, 0x00, 0, 0, 0x02, 0x01, 0x05, 0, 0];
    add("tlv/open", open.to_vec());
    add("tlv/long-tag", tlv::element(0x7F61, &tlv::element(0x5F2E, &[0; 200])));

    add("dg2/jpeg-group", file(FileId::Dg(2)));
    add("dg2/small-jpeg", small_jpeg());
    add("dg2/jpeg", Portrait::Jpeg(2_000).file(1));
    let jpeg_2000 = Portrait::Jpeg2000.file(1);
    let stream = jpeg_2000.windows(2).position(|marker| marker == [0xFF, 0x4F]).unwrap();
    add("dg2/jpeg-2000-stream", jpeg_2000[stream..].to_vec());
    add("dg2/jpeg-2000", jpeg_2000);

    for (name, form) in DG13_FORMS {
        add(&format!("dg13/{name}"), holder.dg13(form));
    }
    add("dg13/zone", holder.dg1());

    add("security_infos/card-access", file(FileId::CardAccess));
    add("security_infos/dg14", file(FileId::Dg(14)));
    add("security_infos/dg15", file(FileId::Dg(15)));

    for (cipher, name) in ["3des", "aes-128", "aes-192", "aes-256"].into_iter().enumerate() {
        let cipher = cipher as u8;
        let padded = tlv::element(0x87, &[&[1][..], &[0x5A; 32]].concat());
        let status = tlv::element(0x99, &[0x90, 0x00]);
        let answer = [&[cipher][..], &padded, &status].concat();
        add(&format!("secure_messaging/{name}-answer"), answer);
        let data = [padded, tlv::element(0x97, &[0])].concat();
        let command = [&[cipher, 0xB0, 0, 0, data.len() as u8][..], &data, &[0]].concat();
        add(&format!("secure_messaging/{name}-command"), command);
    }

    // See `HostileCard`: how it is opened and what it does wrong, how much, which files are others.
    add("read/bac", vec![0, 0, 0, 0]);
    add("read/pace", vec![0x0F, 0, 0, 0]);
    for fault in 1..=15_u8 {
        add(&format!("read/fault-{fault:02}"), vec![fault << 4 | 2, 0, 100, 0]);
    }
    for (number, other) in [(0, FileId::CardAccess), (18, FileId::Sod), (14, FileId::Dg(14))] {
        let bytes = file(other);
        let length = (bytes.len() as u16).to_be_bytes();
        add(&format!("read/own-{other}"), [&[0, 0, 0, 1, number], &length[..], &bytes].concat());
    }
    // A status, a changed byte, fewer bytes, other bytes, a loss, too late.
    let script = [0, 0, 0xF0, 0x6A, 0x82, 0, 0xF4, 9, 1, 0, 0xFD, 0, 0, 0, 0xFE, 0xFA, 2, 0x90, 0];
    add("read/script", [&[0, 0, 0, 0][..], &script].concat());
    seeds
}

const DG13_FORMS: [(&str, Dg13Form); 4] = [
    ("parents-apart", Dg13Form::ParentsApart),
    ("parents-together", Dg13Form::ParentsTogether),
    ("absent", Dg13Form::Absent),
    ("unreadable", Dg13Form::Unreadable),
];

/// A picture with a hundredth of the pixels of a portrait, which is decoded as much faster.
fn small_jpeg() -> Vec<u8> {
    let picture = RgbImage::from_fn(24, 24, |x, y| Rgb([x as u8 * 9, y as u8 * 9, 128]));
    let mut file = Vec::new();
    JpegEncoder::new_with_quality(&mut file, 50).encode_image(&picture).unwrap();
    file
}

/// A master list of the invented state's certificates, one of which is useless.
fn master_list() -> Vec<u8> {
    let key = IssuerKey::Ec(SigningKey::new(Curve::P256, b"secret of a publisher").unwrap());
    let name = issue::office("UT", "Master List Signer");
    let validity = (day("2020-01-01"), day("2035-12-31"));
    let draft = CertificateDraft::authority(name, &key, &key, validity).for_master_lists();
    let algorithm = SignatureAlgorithm::Ecdsa(HashAlgorithm::Sha256);
    let signer = Certificate::parse(&draft.sign(&key, algorithm).unwrap()).unwrap();
    let issuers = ALL.map(|(_, algorithms)| Issuer::new(DEMO_STATE, algorithms));
    let mut certificates: Vec<Vec<u8>> = issuers.iter().map(Issuer::anchor).collect();
    certificates.push(issuers[0].signer().der().to_vec());
    let certificates: Vec<&[u8]> = certificates.iter().map(Vec::as_slice).collect();
    let signed_on = Some(day("2026-05-28"));
    issue::master_list(&certificates, signed_on, &signer, &key, algorithm).unwrap()
}
