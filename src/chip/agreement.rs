//! Agreement on a secret with a chip: Diffie-Hellman over elliptic curves, and over primes.
//!
//! Everything here that touches a secret of ours is constant-time: the curves are those that
//! RustCrypto has so, and exponentiation is that of `crypto-bigint`. The point of the other side is
//! hostile: it has to lie on the curve, and must not be nothing.
//!
//! PACE knows its curves by number (ICAO 9303-11, 9.5.1), chip authentication by object identifier
//! or by explicit parameters. The first kind of Diffie-Hellman serves both, the second chip
//! authentication only.

use bp256::BrainpoolP256r1;
use bp384::BrainpoolP384r1;
use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, Odd};
use p256::NistP256;
use p256::elliptic_curve::ops::Reduce;
use p256::elliptic_curve::sec1::{FromSec1Point, ModulusSize, ToSec1Point};
use p256::elliptic_curve::{
    AffinePoint, CurveArithmetic, FieldBytes, FieldBytesSize, Group, NonZeroScalar, PublicKey,
    Scalar,
};
use p384::NistP384;
use p521::NistP521;
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

use super::Malformed;
use super::secret::{NoRandomness, Randomness, SecretBytes};

/// Why no secret was agreed on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum AgreementError {
    /// The other side's key is no key of this group.
    #[error("the other side's key is not of the group")]
    NotInGroup,
    /// The parameters of the group are none that we accept.
    #[error("the parameters of the group are not accepted: {0}")]
    Parameters(#[from] Malformed),
    /// There is nothing to make a key from.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

/// A curve over which secrets are agreed on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Curve {
    /// NIST P-256.
    P256,
    /// NIST P-384.
    P384,
    /// NIST P-521.
    P521,
    /// brainpoolP256r1.
    BrainpoolP256,
    /// brainpoolP384r1.
    BrainpoolP384,
}

/// Calls a function that is generic over curves for the one that is meant.
macro_rules! on_curve {
    ($curve:expr, $function:ident($($argument:expr),*)) => {
        match $curve {
            Curve::P256 => $function::<NistP256>($($argument),*),
            Curve::P384 => $function::<NistP384>($($argument),*),
            Curve::P521 => $function::<NistP521>($($argument),*),
            Curve::BrainpoolP256 => $function::<BrainpoolP256r1>($($argument),*),
            Curve::BrainpoolP384 => $function::<BrainpoolP384r1>($($argument),*),
        }
    };
}

/// A private key for one curve: a number from one to the order of the curve.
#[derive(Clone, Debug)]
pub struct PrivateKey {
    curve: Curve,
    bytes: SecretBytes,
}

/// A point of a curve, which is never the point at infinity.
///
/// Some points are secrets, so that none shows itself.
#[derive(Clone, Debug)]
pub struct Point {
    curve: Curve,
    /// Uncompressed (BSI TR-03111, 3.2.1): 04, x, y.
    bytes: SecretBytes,
}

impl Point {
    /// Returns the point uncompressed: 04, x, y.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns x: as a secret, this is what key derivation takes (BSI TR-03111, 4.3.1).
    pub fn x(&self) -> &[u8] {
        &self.bytes[1..=self.curve.field_bytes()]
    }
}

impl Curve {
    /// Returns the curve with this number in PACE (ICAO 9303-11, 9.5.1).
    ///
    /// The others of the table are not offered: the shorter curves, brainpoolP320r1 and P512r1
    /// have no constant-time implementation here, and no card that we know of asks for them.
    pub fn of_parameter_id(id: u8) -> Option<Self> {
        match id {
            12 => Some(Self::P256),
            13 => Some(Self::BrainpoolP256),
            15 => Some(Self::P384),
            16 => Some(Self::BrainpoolP384),
            18 => Some(Self::P521),
            _ => None,
        }
    }

    /// Returns the number of the curve in PACE.
    pub fn parameter_id(self) -> u8 {
        match self {
            Self::P256 => 12,
            Self::BrainpoolP256 => 13,
            Self::P384 => 15,
            Self::BrainpoolP384 => 16,
            Self::P521 => 18,
        }
    }

    /// Returns the length of a coordinate in bytes.
    pub fn field_bytes(self) -> usize {
        match self {
            Self::P256 | Self::BrainpoolP256 => 32,
            Self::P384 | Self::BrainpoolP384 => 48,
            Self::P521 => 66,
        }
    }

    /// Returns the generator of the standard.
    pub fn generator(self) -> Point {
        fn bytes<C>() -> SecretBytes
        where
            C: CurveArithmetic,
            FieldBytesSize<C>: ModulusSize,
            AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
        {
            let generator: AffinePoint<C> = C::ProjectivePoint::generator().into();
            SecretBytes::from(generator.to_sec1_point(false).as_bytes())
        }
        Point { curve: self, bytes: on_curve!(self, bytes()) }
    }

    /// Reads an uncompressed point that the other side sent.
    pub fn point(self, bytes: &[u8]) -> Result<Point, AgreementError> {
        fn check<C>(bytes: &[u8]) -> Result<(), AgreementError>
        where
            C: CurveArithmetic,
            FieldBytesSize<C>: ModulusSize,
            AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
        {
            read::<C>(bytes).map(|_| ())
        }
        // Compressed points and the point at infinity are shorter.
        if bytes.len() != 1 + 2 * self.field_bytes() {
            return Err(AgreementError::NotInGroup);
        }
        on_curve!(self, check(bytes))?;
        Ok(Point { curve: self, bytes: SecretBytes::from(bytes) })
    }

    /// Returns a new private key.
    pub fn private_key(self, random: &mut dyn Randomness) -> Result<PrivateKey, AgreementError> {
        fn is_key<C: CurveArithmetic>(bytes: &[u8]) -> bool {
            NonZeroScalar::<C>::try_from(bytes).is_ok()
        }
        // Chosen: each try gives a key with more than even odds, so that this many in vain mean a
        // source that is broken.
        const TRIES: usize = 128;
        for _ in 0..TRIES {
            let mut bytes = Zeroizing::new(vec![0; self.field_bytes()]);
            random.fill(&mut bytes)?;
            if self == Self::P521 {
                // Its order has 521 bits.
                bytes[0] &= 0x01;
            }
            if on_curve!(self, is_key(&bytes)) {
                return Ok(PrivateKey { curve: self, bytes: SecretBytes::from(&bytes[..]) });
            }
        }
        Err(NoRandomness.into())
    }

    /// Maps the generator by the nonce of PACE and an agreed point (generic mapping, ICAO 9303-11,
    /// 4.4.3.3.1): the nonce times the generator, plus the point.
    pub fn map(self, nonce: &[u8], agreed: &Point) -> Result<Point, AgreementError> {
        fn sum<C>(nonce: &[u8], agreed: &[u8]) -> Result<SecretBytes, AgreementError>
        where
            C: CurveArithmetic,
            FieldBytesSize<C>: ModulusSize,
            AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
        {
            let mut wide = FieldBytes::<C>::default();
            let start = wide.len().checked_sub(nonce.len());
            let start = start.ok_or(Malformed("a nonce longer than the group"))?;
            wide[start..].copy_from_slice(nonce);
            let nonce = Scalar::<C>::reduce(&wide);
            wide.as_mut_slice().zeroize();
            let mapped =
                C::ProjectivePoint::generator() * nonce + read::<C>(agreed)?.to_projective();
            written::<C>(mapped)
        }
        let bytes = on_curve!(self, sum(nonce, &agreed.bytes))?;
        Ok(Point { curve: self, bytes })
    }
}

impl PrivateKey {
    /// Returns the curve of the key.
    pub fn curve(&self) -> Curve {
        self.curve
    }

    /// Returns the key times a point: our public key where it is a generator, the shared secret
    /// where it is the other side's public key.
    pub fn times(&self, point: &Point) -> Result<Point, AgreementError> {
        fn product<C>(key: &[u8], point: &[u8]) -> Result<SecretBytes, AgreementError>
        where
            C: CurveArithmetic,
            FieldBytesSize<C>: ModulusSize,
            AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
        {
            let key = NonZeroScalar::<C>::try_from(key);
            let key = Zeroizing::new(key.map_err(|_| Malformed("a private key of no curve"))?);
            written::<C>(read::<C>(point)?.to_projective() * **key)
        }
        if self.curve != point.curve {
            return Err(AgreementError::NotInGroup);
        }
        let bytes = on_curve!(self.curve, product(&self.bytes, &point.bytes))?;
        Ok(Point { curve: self.curve, bytes })
    }
}

fn read<C>(bytes: &[u8]) -> Result<PublicKey<C>, AgreementError>
where
    C: CurveArithmetic,
    FieldBytesSize<C>: ModulusSize,
    AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
{
    PublicKey::from_sec1_bytes(bytes).map_err(|_| AgreementError::NotInGroup)
}

fn written<C>(point: C::ProjectivePoint) -> Result<SecretBytes, AgreementError>
where
    C: CurveArithmetic,
    FieldBytesSize<C>: ModulusSize,
    AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
{
    // Refuses the point at infinity.
    let point = PublicKey::<C>::from_affine(point.into());
    let point = point.map_err(|_| AgreementError::NotInGroup)?;
    Ok(SecretBytes::from(point.to_sec1_point(false).as_bytes()))
}

/// A group of numbers modulo a prime, as a chip states it for chip authentication.
///
/// Whether the prime is one is not tested: the issuer signs the parameters with the key, and a chip
/// that is not signed for proves nothing by them.
#[derive(Clone, Debug)]
pub struct PrimeGroup {
    prime: BoxedMontyParams,
    generator: BoxedUint,
    order: Option<BoxedUint>,
    /// Length of the prime in bytes.
    bytes: usize,
}

/// A private key for a group of numbers.
#[derive(Debug)]
pub struct Exponent(SecretBytes);

impl PrimeGroup {
    /// The shortest and the longest prime, in bits. Chosen: the norm names 1,024 and 2,048
    /// (ICAO 9303-11, 9.5.1).
    const BITS: std::ops::RangeInclusive<u32> = 1_024..=4_096;
    /// The length of a private key where no order is stated, in bits. Chosen: twice the strength
    /// of the longest prime with much to spare, and a quarter of the time of a full one.
    const EXPONENT_BITS: u32 = 512;

    /// Takes the parameters of a group, each as a number without sign, greatest byte first.
    pub fn new(
        prime: &[u8],
        generator: &[u8],
        order: Option<&[u8]>,
    ) -> Result<Self, AgreementError> {
        let prime = super::curves::number(prime);
        if prime.len() > 4_096 / 8 {
            return Err(Malformed("a prime of a length that is not accepted").into());
        }
        let prime = BoxedUint::from_be_slice_vartime(prime);
        if !Self::BITS.contains(&prime.bit_width()) {
            return Err(Malformed("a prime of a length that is not accepted").into());
        }
        let bytes = prime.bit_width().div_ceil(8) as usize;
        let odd = Option::<Odd<BoxedUint>>::from(Odd::new(prime));
        let odd = odd.ok_or(Malformed("a prime that is even"))?;
        let mut group = Self {
            prime: BoxedMontyParams::new_vartime(odd),
            generator: BoxedUint::zero(),
            order: None,
            bytes,
        };
        group.generator =
            group.number(generator).map_err(|_| Malformed("a generator outside its group"))?;
        if let Some(order) = order {
            let order =
                group.number(order).map_err(|_| Malformed("an order greater than its group"))?;
            // Chosen: the norm's shortest subgroup has 160 bits (ICAO 9303-11, 9.5.1).
            if order.bit_width() < 160 {
                return Err(Malformed("an order that is too small").into());
            }
            group.order = Some(order);
        }
        Ok(group)
    }

    /// Returns prime, generator and order as they are written; an order that is not stated is empty.
    pub fn numbers(&self) -> [Vec<u8>; 3] {
        let order = self.order.as_ref().map_or_else(Vec::new, written_number);
        [written_number(self.prime.modulus().as_ref()), written_number(&self.generator), order]
    }

    /// Returns a new private key.
    pub fn private_key(&self, random: &mut dyn Randomness) -> Result<Exponent, AgreementError> {
        // One bit shorter than the order, so that it is smaller.
        let bits = match &self.order {
            Some(order) => order.bit_width() - 1,
            None => Self::EXPONENT_BITS,
        };
        let mut bytes = Zeroizing::new(vec![0; (bits / 8) as usize]);
        random.fill(&mut bytes)?;
        Ok(Exponent(SecretBytes::from(&bytes[..])))
    }

    /// Returns the public key to a private one: a number without leading zeros (ICAO 9303-11,
    /// 6.2.4.3 and 9.4.1).
    pub fn public_key(&self, key: &Exponent) -> Vec<u8> {
        super::curves::number(&self.power(&self.generator, key)).to_vec()
    }

    /// Returns the secret that is shared with the holder of a public key, as long as the prime,
    /// with the zeros that a public key must not have.
    pub fn agree(&self, key: &Exponent, theirs: &[u8]) -> Result<SecretBytes, AgreementError> {
        let theirs = self.number(theirs)?;
        if let Some(order) = &self.order {
            // A number outside the subgroup would give away a part of our key.
            let one = self.form(&theirs).pow(order);
            if one.retrieve().is_one().to_bool() {
                return Ok(self.power(&theirs, key));
            }
            return Err(AgreementError::NotInGroup);
        }
        Ok(self.power(&theirs, key))
    }

    fn power(&self, base: &BoxedUint, key: &Exponent) -> SecretBytes {
        let mut exponent = BoxedUint::from_be_slice_vartime(&key.0);
        let mut power = self.form(base).pow(&exponent).retrieve();
        exponent.zeroize();
        let whole = SecretBytes::from(power.to_be_bytes().into_vec());
        power.zeroize();
        SecretBytes::from(&whole[whole.len().saturating_sub(self.bytes)..])
    }

    fn form(&self, number: &BoxedUint) -> BoxedMontyForm {
        BoxedMontyForm::new(number.clone(), &self.prime)
    }

    /// Reads a number from 2 to the prime less 2: the others are no public keys.
    fn number(&self, bytes: &[u8]) -> Result<BoxedUint, AgreementError> {
        let number =
            BoxedUint::from_be_slice(super::curves::number(bytes), self.prime.bits_precision());
        let number = number.map_err(|_| AgreementError::NotInGroup)?;
        let modulus = self.prime.modulus().as_ref();
        let last = modulus.wrapping_sub(BoxedUint::one_with_precision(modulus.bits_precision()));
        let is_between = number > BoxedUint::one() && number < last;
        if is_between { Ok(number) } else { Err(AgreementError::NotInGroup) }
    }
}

fn written_number(number: &BoxedUint) -> Vec<u8> {
    number.to_be_bytes().into_vec()
}

/// What the tests of other modules agree over.
#[cfg(test)]
pub(in crate::chip) mod vectors {
    use super::super::secret::vectors::hex;
    use super::*;

    /// Prime, generator and order of RFC 5114, 2.1: 1,024 bits with an order of 160.
    pub fn numbers() -> [Vec<u8>; 3] {
        [
            hex("B10B8F96A080E01DDE92DE5EAE5D54EC52C99FBCFB06A3C69A6A9DCA52D23B61
                 6073E28675A23D189838EF1E2EE652C013ECB4AEA906112324975C3CD49B83BF
                 ACCBDD7D90C4BD7098488E9C219A73724EFFD6FAE5644738FAA31A4FF55BCCC0
                 A151AF5F0DC8B4BD45BF37DF365C1A65E68CFDA76D4DA708DF1FB2BC2E4A4371"),
            hex("A4D1CBD5C3FD34126765A442EFB99905F8104DD258AC507FD6406CFF14266D31
                 266FEA1E5C41564B777E690F5504F213160217B4B01B886A5E91547F9E2749F4
                 D7FBD7D3B9A92EE1909D0D2263F80A76A6A24C087A091F531DBF0A0169B6A28A
                 D662A4D18E73AFA32D779D5918D08BC8858F4DCEF97C2A24855E6EEB22B3B2E5"),
            hex("F518AA8781A8DF278ABA4E7D64B7CB9D49462353"),
        ]
    }

    /// The group of these numbers.
    pub fn group() -> PrimeGroup {
        let [prime, generator, order] = numbers();
        PrimeGroup::new(&prime, &generator, Some(&order)).expect("a group")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::secret::SystemRandomness;
    use super::super::secret::vectors::{Printed, hex};
    use super::*;

    const CURVES: [Curve; 5] =
        [Curve::P256, Curve::P384, Curve::P521, Curve::BrainpoolP256, Curve::BrainpoolP384];

    fn printed(curve: Curve, key: &str) -> PrivateKey {
        curve.private_key(&mut Printed::new(&[key])).expect("a key")
    }

    #[test]
    fn both_sides_agree_over_every_curve() {
        for curve in CURVES {
            assert_eq!(Curve::of_parameter_id(curve.parameter_id()), Some(curve));
            let generator = curve.generator();
            let ours = curve.private_key(&mut SystemRandomness).expect("a key");
            let theirs = curve.private_key(&mut SystemRandomness).expect("a key");
            let our_point = ours.times(&generator).expect("a public key");
            let their_point = theirs.times(&generator).expect("a public key");
            let agreed = ours.times(&curve.point(their_point.as_bytes()).expect("a point"));
            let agreed = agreed.expect("a secret");
            assert_eq!(agreed.x(), theirs.times(&our_point).expect("a secret").x());
            assert_eq!(agreed.x().len(), curve.field_bytes());
            let nonce = [0x5A; 32];
            let mapped = curve.map(&nonce, &agreed).expect("a generator");
            assert_ne!(mapped.as_bytes(), generator.as_bytes());
        }
    }

    #[test]
    fn generator_is_mapped_as_in_the_worked_example() {
        // ICAO 9303-11, appendix G.1.
        let curve = Curve::BrainpoolP256;
        let terminal =
            printed(curve, "7F4EF07B9EA82FD78AD689B38D0BC78CF21F249D953BC46F4C6E19259C010F99");
        let chip = curve
            .point(&hex("04824FBA91C9CBE26BEF53A0EBE7342A3BF178CEA9F45DE0B70AA601651FBA3F57
             30D8C879AAA9C9F73991E61B58F4D52EB87A0A0C709A49DC63719363CCD13C54"));
        let agreed = terminal.times(&chip.expect("a point")).expect("a secret");
        assert_eq!(
            agreed.as_bytes(),
            hex("0460332EF2450B5D247EF6D3868397D398852ED6E8CAF6FFEEF6BF85CA57057FD5
                 0840CA7415BAF3E43BD414D35AA4608B93A2CAF3A4E3EA4E82C9C13D03EB7181"),
        );
        let mapped = curve.map(&hex("3F00C4D39D153F2B2A214A078D899B22"), &agreed);
        assert_eq!(
            mapped.expect("a generator").as_bytes(),
            hex("048CED63C91426D4F0EB1435E7CB1D74A46723A0AF21C89634F65A9AE87A9265E2
                 8C879506743F8611AC33645C5B985C80B5F09A0B83407C1B6A4D857AE76FE522"),
        );
    }

    #[test]
    fn nonce_longer_than_the_group_is_refused() {
        let curve = Curve::P256;
        let refused = curve.map(&[0x5A; 48], &curve.generator()).expect_err("no room");
        let expected = Malformed("a nonce longer than the group");
        assert_eq!(refused, AgreementError::Parameters(expected));
    }

    #[test]
    fn what_is_no_point_of_the_curve_is_refused() {
        for curve in CURVES {
            let generator = curve.generator();
            let mut beside = generator.as_bytes().to_vec();
            *beside.last_mut().expect("a byte") ^= 1;
            let mut compressed = generator.as_bytes()[..=curve.field_bytes()].to_vec();
            compressed[0] = 2;
            for bytes in [beside, compressed, vec![0], vec![], vec![4; 1 + 2 * curve.field_bytes()]]
            {
                let refused = curve.point(&bytes).expect_err("no point");
                assert_eq!(refused, AgreementError::NotInGroup, "{curve:?}");
            }
        }
        let key = Curve::P256.private_key(&mut SystemRandomness).expect("a key");
        let refused = key.times(&Curve::BrainpoolP256.generator()).expect_err("another curve");
        assert_eq!(refused, AgreementError::NotInGroup);
    }

    #[test]
    fn mapping_to_nothing_is_refused() {
        // The agreed point is the generator, and the nonce the order less one.
        let order = "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632550";
        let refused = Curve::P256.map(&hex(order), &Curve::P256.generator()).expect_err("nothing");
        assert_eq!(refused, AgreementError::NotInGroup);
    }

    #[test]
    fn broken_source_of_randomness_is_noticed() {
        struct Zeros;
        impl Randomness for Zeros {
            fn fill(&mut self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
                bytes.fill(0);
                Ok(())
            }
        }
        let refused = Curve::P256.private_key(&mut Zeros).expect_err("no key");
        assert_eq!(refused, AgreementError::NoRandomness(NoRandomness));
    }

    #[test]
    fn both_sides_agree_over_a_prime() {
        let [prime, generator, order] = vectors::numbers();
        for order in [None, Some(&order[..])] {
            let group = PrimeGroup::new(&prime, &generator, order).expect("a group");
            let ours = group.private_key(&mut SystemRandomness).expect("a key");
            let theirs = group.private_key(&mut SystemRandomness).expect("a key");
            let agreed = group.agree(&ours, &group.public_key(&theirs)).expect("a secret");
            let again = group.agree(&theirs, &group.public_key(&ours)).expect("a secret");
            assert_eq!((&*agreed, agreed.len()), (&*again, 128));
        }
    }

    #[test]
    fn agreement_over_a_prime_is_that_of_its_norm() {
        // RFC 5114, appendix A.1.
        let [prime, generator, order] = vectors::numbers();
        let group = PrimeGroup::new(&prime, &generator, Some(&order)).expect("a group");
        let ours = Exponent(hex("B9A3B3AE8FEFC1A2930496507086F8455D48943E").into());
        let public = group.public_key(&ours);
        assert_eq!(public[..8], hex("2A853B3D92197501"));
        let theirs = Exponent(hex("9392C9F9EB6A7A6A9022F7D83E7223C6835BBDDA").into());
        let agreed = group.agree(&ours, &group.public_key(&theirs)).expect("a secret");
        assert_eq!(agreed[..8], hex("5C804F454D30D9C4"));
    }

    #[test]
    fn public_key_has_no_leading_zeros_and_the_secret_keeps_them() {
        let [prime, generator, order] = vectors::numbers();
        let group = PrimeGroup::new(&prime, &generator, Some(&order)).expect("a group");
        // One power in 256 begins with a zero.
        let key = (2..=u16::MAX).map(|number| Exponent(number.to_be_bytes().to_vec().into()));
        let key = key.into_iter().find(|key| group.public_key(key).len() < prime.len());
        let key = key.expect("a short key");
        let public = group.public_key(&key);
        assert!(public.len() < prime.len() && public[0] != 0);
        assert_eq!(group.agree(&key, &generator).expect("a secret").len(), prime.len());
        let other = group.private_key(&mut SystemRandomness).expect("a key");
        let agreed = group.agree(&other, &public).expect("a secret");
        let again = group.agree(&key, &group.public_key(&other)).expect("a secret");
        assert_eq!(*agreed, *again);
    }

    #[test]
    fn keys_and_groups_that_give_something_away_are_refused() {
        let [prime, generator, order] = vectors::numbers();
        let group = PrimeGroup::new(&prime, &generator, Some(&order)).expect("a group");
        let ours = group.private_key(&mut SystemRandomness).expect("a key");
        let mut last = prime.clone();
        *last.last_mut().expect("a byte") -= 1;
        // Two is of another subgroup.
        for theirs in
            [vec![], vec![0], vec![1], vec![2], prime.clone(), last.clone(), vec![0xFF; 129]]
        {
            let refused = group.agree(&ours, &theirs).expect_err("no key");
            assert_eq!(refused, AgreementError::NotInGroup);
        }
        for (prime, generator, order, expected) in [
            (&last, &generator, &order, "a prime that is even"),
            (&vec![0xFF; 64], &generator, &order, "a prime of a length that is not accepted"),
            (&vec![0xFF; 513], &generator, &order, "a prime of a length that is not accepted"),
            (&vec![], &generator, &order, "a prime of a length that is not accepted"),
            (&prime, &vec![1], &order, "a generator outside its group"),
            (&prime, &prime, &order, "a generator outside its group"),
            (&prime, &generator, &vec![7; 10], "an order that is too small"),
            (&prime, &generator, &prime, "an order greater than its group"),
        ] {
            let refused = PrimeGroup::new(prime, generator, Some(order)).expect_err("no group");
            assert_eq!(refused, AgreementError::Parameters(Malformed(expected)));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(
            at in 0..CURVES.len(),
            bytes in prop::collection::vec(any::<u8>(), 0..140),
        ) {
            let _ = CURVES[at].point(&bytes);
            let _ = PrimeGroup::new(&bytes, &bytes, Some(&bytes));
        }
    }
}
