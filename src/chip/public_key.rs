//! A public key of any kind, and what it verifies.

use thiserror::Error;

use super::Malformed;
use super::algorithm::{self, ParseError, SignatureAlgorithm, Unsupported};
use super::curves::{Curve, Point};
use super::rsa::RsaPublicKey;
use super::tlv;

/// A public key that this program can verify with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PublicKey {
    /// RSA.
    Rsa(RsaPublicKey),
    /// A point of a known curve.
    Ec(Point),
}

/// `id-ecPublicKey`, 1.2.840.10045.2.1.
const EC_PUBLIC_KEY: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01];
/// `id-ecDH`, 1.3.132.1.12: the same key, named for agreement only (RFC 5480, 2.1.2).
const EC_DH: &[u8] = &[0x2B, 0x81, 0x04, 0x01, 0x0C];

/// The signature is not of this message by this key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("the signature does not fit the message and the key")]
pub struct WrongSignature;

impl PublicKey {
    /// Returns the key that a `SubjectPublicKeyInfo` holds (RFC 5280, 4.1.2.7).
    pub fn from_spki(bytes: &[u8]) -> Result<PublicKey, ParseError> {
        let mut fields = tlv::only(bytes, 0x30)?.children();
        let mut identifier = fields.expect(0x30)?.children();
        let key = whole_bytes(fields.expect(0x03)?.value)?;
        fields.end()?;
        match identifier.expect(0x06)?.value {
            // A key for PSS alone may be bound to one hash. That is for its owner to keep: each
            // signature names its own, and verifying one the owner made gives nothing away.
            algorithm::RSA | algorithm::RSA_PSS => Ok(Self::Rsa(RsaPublicKey::from_der(key)?)),
            EC_PUBLIC_KEY | EC_DH => {
                let curve = Curve::from_parameters(identifier.rest())?;
                Ok(Self::Ec(Point::from_bytes(curve, key)?))
            }
            _ => Err(Unsupported::Key.into()),
        }
    }

    /// Returns the `SubjectPublicKeyInfo`, the curve by its name.
    pub fn to_spki(&self) -> Vec<u8> {
        self.spki(Curve::named_parameters)
    }

    /// Returns the `SubjectPublicKeyInfo`, the curve by all of its numbers (ICAO 9303-12, 4.1.6.3).
    pub fn to_explicit_spki(&self) -> Vec<u8> {
        self.spki(Curve::explicit_parameters)
    }

    fn spki(&self, parameters: fn(Curve) -> Vec<u8>) -> Vec<u8> {
        let (identifier, key) = match self {
            Self::Rsa(key) => {
                let mut identifier = tlv::element(0x06, algorithm::RSA);
                tlv::write(&mut identifier, 0x05, &[]);
                (identifier, key.to_der())
            }
            Self::Ec(point) => {
                let mut identifier = tlv::element(0x06, EC_PUBLIC_KEY);
                identifier.extend(parameters(point.curve()));
                (identifier, point.to_bytes())
            }
        };
        let mut content = tlv::element(0x30, &identifier);
        tlv::write(&mut content, 0x03, &[&[0], &key[..]].concat());
        tlv::element(0x30, &content)
    }

    /// Checks that `signature` is the one of `message` by this key.
    ///
    /// A key of another kind than the algorithm needs is a wrong signature too.
    pub fn verify(
        &self,
        algorithm: SignatureAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), WrongSignature> {
        let digest = algorithm.hash().digest(message);
        let fits = match (self, algorithm) {
            (Self::Rsa(key), SignatureAlgorithm::RsaPkcs1(hash)) => {
                key.verifies_pkcs1(hash, &digest, signature)
            }
            (Self::Rsa(key), SignatureAlgorithm::RsaPss { hash, mask, salt_length }) => {
                key.verifies_pss(hash, mask, salt_length, &digest, signature)
            }
            (Self::Ec(point), SignatureAlgorithm::Ecdsa(_)) => {
                r_and_s(signature).is_ok_and(|(r, s)| point.verifies(&digest, r, s))
            }
            (Self::Ec(point), SignatureAlgorithm::EcdsaPlain(_)) => {
                let length = point.curve().order_length();
                signature.len() == 2 * length
                    && point.verifies(&digest, &signature[..length], &signature[length..])
            }
            _ => false,
        };
        if fits { Ok(()) } else { Err(WrongSignature) }
    }
}

/// Returns the ECDSA signature of (`r`, `s`) as certificates hold it: a sequence of two numbers.
pub fn ecdsa_der(r: &[u8], s: &[u8]) -> Vec<u8> {
    use super::curves::unsigned_integer;
    tlv::element(0x30, &[unsigned_integer(r), unsigned_integer(s)].concat())
}

/// Returns r and s of a signature that is strictly DER: there is one way to write each signature.
fn r_and_s(signature: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let sequence = tlv::only(signature, 0x30)?;
    let mut numbers = sequence.children();
    let (r, s) = (numbers.expect(0x02)?.value, numbers.expect(0x02)?.value);
    if ecdsa_der(r, s) != signature {
        return Err(Malformed("a signature that is not DER"));
    }
    Ok((r, s))
}

/// Returns the bytes of a BIT STRING that holds whole bytes.
pub(super) fn whole_bytes(content: &[u8]) -> Result<&[u8], Malformed> {
    content.strip_prefix(&[0]).ok_or(Malformed("a bit string that does not hold whole bytes"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::chip::curves::SigningKey;
    use crate::chip::hash::HashAlgorithm;
    use crate::chip::openssl::OpenSsl;

    /// OpenSSL's name of a curve.
    fn openssl_name(curve: Curve) -> &'static str {
        match curve {
            Curve::P224 => "secp224r1",
            Curve::P256 => "prime256v1",
            Curve::P384 => "secp384r1",
            Curve::P521 => "secp521r1",
            brainpool => brainpool.name(),
        }
    }

    #[test]
    fn openssl_signs_and_we_verify_on_every_curve() {
        let openssl = OpenSsl::new();
        openssl.write("message", "what was signed");
        for curve in Curve::ALL {
            let name = openssl_name(curve);
            openssl.run(&format!("ecparam -name {name} -genkey -noout -out key.pem"));
            let named = openssl.run("ec -in key.pem -pubout -outform DER");
            let key = PublicKey::from_spki(&named).expect("a key");
            assert_eq!(key.to_spki(), named, "{name}");
            for hash in [HashAlgorithm::Sha1, HashAlgorithm::Sha256, HashAlgorithm::Sha512] {
                let digest = hash.name().replace('-', "").to_lowercase();
                let signature = openssl.run(&format!("dgst -{digest} -sign key.pem message"));
                let algorithm = SignatureAlgorithm::Ecdsa(hash);
                assert_eq!(key.verify(algorithm, b"what was signed", &signature), Ok(()), "{name}");
                let wrong = key.verify(algorithm, b"what was not signed", &signature);
                assert_eq!(wrong, Err(WrongSignature), "{name}");
            }
        }
    }

    #[test]
    fn described_curve_is_read_and_written_as_openssl_does() {
        let openssl = OpenSsl::new();
        for curve in Curve::ALL {
            let name = openssl_name(curve);
            openssl.run(&format!("ecparam -name {name} -genkey -noout -out key.pem"));
            for form in ["uncompressed", "compressed", "hybrid"] {
                let key = openssl.run(&format!(
                    "ec -in key.pem -pubout -outform DER -param_enc explicit -conv_form {form}"
                ));
                let key = PublicKey::from_spki(&key);
                match form {
                    "uncompressed" => {
                        let Ok(PublicKey::Ec(point)) = key else { panic!("{name}: {key:?}") };
                        assert_eq!(point.curve(), curve);
                        // Also without the seed of the NIST curves, which we do not write.
                        let again = PublicKey::Ec(point.clone()).to_explicit_spki();
                        assert_eq!(PublicKey::from_spki(&again), Ok(PublicKey::Ec(point)));
                        openssl.write("ours.der", again);
                        assert!(openssl.agrees("ec -pubin -inform DER -in ours.der -noout"));
                    }
                    // OpenSSL writes the generator in the same form.
                    "compressed" => assert_eq!(key, Err(Unsupported::CompressedPoint.into())),
                    _ => assert_eq!(key, Err(Unsupported::Curve.into())),
                }
            }
        }
    }

    #[test]
    fn we_sign_and_openssl_verifies_on_every_curve() {
        let openssl = OpenSsl::new();
        openssl.write("message", "what was signed");
        for curve in Curve::ALL {
            let key = SigningKey::new(curve, b"an invented secret").expect("not zero");
            openssl.write("public.der", PublicKey::Ec(key.public()).to_spki());
            let (r, s) = key.sign(&HashAlgorithm::Sha256.digest(b"what was signed"));
            openssl.write("signature", ecdsa_der(&r, &s));
            let verify =
                "dgst -sha256 -verify public.der -keyform DER -signature signature message";
            assert!(openssl.agrees(verify), "{}", curve.name());
            // The same two numbers as active authentication has them.
            let plain = [r, s].concat();
            let algorithm = SignatureAlgorithm::EcdsaPlain(HashAlgorithm::Sha256);
            let public = PublicKey::Ec(key.public());
            assert_eq!(public.verify(algorithm, b"what was signed", &plain), Ok(()));
            let short = &plain[..plain.len() - 1];
            assert_eq!(public.verify(algorithm, b"what was signed", short), Err(WrongSignature));
        }
    }

    #[test]
    fn secret_is_taken_modulo_the_order() {
        let curve = Curve::P224;
        let one = SigningKey::new(curve, &[1]).expect("not zero");
        let parameters = curve.explicit_parameters();
        let order = &parameters[parameters.len() - 3 - 28..parameters.len() - 3];
        assert!(SigningKey::new(curve, order).is_none());
        assert!(SigningKey::new(curve, &[]).is_none());
        // 256^36 times the order, and one: more bytes than the order has.
        let mut more = [order, &[0; 36]].concat();
        more[63] = 1;
        let same = SigningKey::new(curve, &more).expect("not zero");
        assert_eq!((same.secret(), same.public()), (one.secret(), one.public()));
    }

    #[test]
    fn key_for_pss_alone_is_read() {
        let openssl = OpenSsl::new();
        openssl.write("message", "what was signed");
        let options = "-pkeyopt rsa_keygen_bits:2048 -pkeyopt rsa_pss_keygen_md:sha256";
        openssl.run(&format!("genpkey -algorithm RSA-PSS {options} -out key.pem"));
        let spki = openssl.run("pkey -in key.pem -pubout -outform DER");
        let key = PublicKey::from_spki(&spki).expect("a key");
        let sign = "dgst -sha256 -sign key.pem -sigopt rsa_pss_saltlen:32 -sigopt rsa_mgf1_md:sha1";
        let signature = openssl.run(&format!("{sign} message"));
        let algorithm = SignatureAlgorithm::RsaPss {
            hash: HashAlgorithm::Sha256,
            mask: HashAlgorithm::Sha1,
            salt_length: 32,
        };
        assert_eq!(key.verify(algorithm, b"what was signed", &signature), Ok(()));
    }

    #[test]
    fn curve_with_another_number_is_no_known_curve() {
        // CVE-2020-0601: with the state's public key as generator, the forger's secret is 1.
        let generator_is_the_public_key = |curve: Curve| {
            let one = SigningKey::new(curve, &[1]).expect("not zero");
            let generator = one.public().to_bytes();
            let state = SigningKey::new(curve, b"the state's secret").expect("not zero").public();
            let mut forged = curve.explicit_parameters();
            let length = generator.len();
            let at = forged.windows(length).position(|part| part == generator).expect("there");
            forged[at..at + length].copy_from_slice(&state.to_bytes());
            forged
        };
        for curve in Curve::ALL {
            assert_eq!(Curve::from_parameters(&curve.explicit_parameters()), Ok(curve));
            let forged = generator_is_the_public_key(curve);
            assert_eq!(Curve::from_parameters(&forged), Err(Unsupported::Curve.into()));
            // Every bit of every number counts.
            let parameters = curve.explicit_parameters();
            for at in 0..parameters.len() {
                let mut altered = parameters.clone();
                altered[at] ^= 1;
                let read = Curve::from_parameters(&altered);
                // All but the version, which says nothing of the curve.
                assert!(read.is_err() || parameters[at - 2..=at] == [2, 1, 1], "{curve:?} {at}");
            }
        }
        // secp256k1: 1.3.132.0.10
        let bitcoin = tlv::element(0x06, &[0x2B, 0x81, 0x04, 0x00, 0x0A]);
        assert_eq!(Curve::from_parameters(&bitcoin), Err(Unsupported::Curve.into()));
    }

    #[test]
    fn point_off_the_curve_is_refused() {
        let key = SigningKey::new(Curve::P256, b"a secret").expect("not zero").public();
        let mut bytes = key.to_bytes();
        assert_eq!(Point::from_bytes(Curve::P256, &bytes), Ok(key));
        bytes[64] ^= 1;
        let refused = |bytes: &[u8], why| {
            let found = Point::from_bytes(Curve::P256, bytes);
            assert_eq!(found, Err(Malformed(why).into()));
        };
        refused(&bytes, "a point that is not on its curve");
        refused(&bytes[..64], "a point of the wrong length");
        refused(&[0], "a point of the wrong length");
        bytes[1..33].fill(0xFF);
        refused(&bytes, "a coordinate that is not below the prime");
    }

    #[test]
    fn halves_of_a_signature_out_of_range_are_refused() {
        let curve = Curve::P256;
        let key = SigningKey::new(curve, b"a secret").expect("not zero");
        let hash = HashAlgorithm::Sha256.digest(b"message");
        let (r, s) = key.sign(&hash);
        let public = key.public();
        assert!(public.verifies(&hash, &r, &s));
        let zero = [0; 32];
        // r + n: the same residue, written otherwise.
        let parameters = curve.explicit_parameters();
        let order = &parameters[parameters.len() - 3 - 32..parameters.len() - 3];
        let mut carry = 0;
        let mut above = vec![0; 33];
        for at in (0..32).rev() {
            let sum = u16::from(r[at]) + u16::from(order[at]) + carry;
            above[at + 1] = sum as u8;
            carry = sum >> 8;
        }
        above[0] = carry as u8;
        for (r, s) in
            [(&zero[..], &s[..]), (&r, &zero), (order, &s), (&r, order), (&above, &s), (&[], &[])]
        {
            assert!(!public.verifies(&hash, r, s));
        }
    }

    #[test]
    fn signature_in_another_encoding_than_der_is_refused() {
        let key = SigningKey::new(Curve::P256, b"a secret").expect("not zero");
        let (r, s) = key.sign(&HashAlgorithm::Sha256.digest(b"message"));
        let public = PublicKey::Ec(key.public());
        let algorithm = SignatureAlgorithm::Ecdsa(HashAlgorithm::Sha256);
        let der = ecdsa_der(&r, &s);
        assert_eq!(public.verify(algorithm, b"message", &der), Ok(()));
        let (r, s) = r_and_s(&der).expect("DER");
        let padded = [tlv::element(0x02, &[&[0], r].concat()), tlv::element(0x02, s)].concat();
        let long_length = [&[0x30, 0x81], &der[1..]].concat();
        let followed = [&der[..], &[0]].concat();
        for other in [tlv::element(0x30, &padded), long_length, followed, vec![]] {
            assert_eq!(public.verify(algorithm, b"message", &other), Err(WrongSignature));
        }
    }

    #[test]
    fn signature_by_another_kind_of_key_is_wrong() {
        let key = SigningKey::new(Curve::P256, b"a secret").expect("not zero");
        let public = PublicKey::Ec(key.public());
        let algorithm = SignatureAlgorithm::RsaPkcs1(HashAlgorithm::Sha256);
        assert_eq!(public.verify(algorithm, b"message", &[0; 256]), Err(WrongSignature));
    }

    proptest! {
        #[test]
        fn any_bytes_are_no_reason_to_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = PublicKey::from_spki(&bytes);
            let _ = Curve::from_parameters(&bytes);
            let key = SigningKey::new(Curve::P224, b"a secret").expect("not zero");
            let algorithm = SignatureAlgorithm::Ecdsa(HashAlgorithm::Sha256);
            prop_assert!(PublicKey::Ec(key.public()).verify(algorithm, b"", &bytes).is_err());
        }

        #[test]
        fn key_with_an_altered_byte_is_read_or_refused(at in 0_usize..400, bits in 1_u8..) {
            let key = SigningKey::new(Curve::BrainpoolP256r1, b"a secret").expect("not zero");
            let mut bytes = PublicKey::Ec(key.public()).to_explicit_spki();
            let at = at % bytes.len();
            bytes[at] ^= bits;
            let _ = PublicKey::from_spki(&bytes);
        }
    }
}
