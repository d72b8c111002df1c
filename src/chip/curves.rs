//! Elliptic curves over prime fields: does a signature fit a public key?
//!
//! Works on public bytes, in a time that depends on them. What holds a secret of the officer's
//! device goes through [`super::agreement`], which takes the same time whatever the secret. The
//! signing half is for invented states and cards only.
//!
//! No crate has brainpoolP512r1, which Vietnam's passports are signed with, nor P-224 and
//! brainpoolP224r1 of old documents; so all curves go one way here, over `crypto-bigint`.

use std::sync::OnceLock;

use crypto_bigint::BoxedUint;
use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};

use super::Malformed;
use super::algorithm::{ParseError, Unsupported};
use super::tlv;

mod known;

use known::Constants;

/// A curve that documents may use.
///
/// There is no way to make another: a certificate that brings its own numbers has them compared,
/// every one, with those of a known curve. Else a forger takes a state's public key, chooses a
/// generator for which he knows the secret, and signs as that state (CVE-2020-0601).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
#[allow(missing_docs)] // Their names are all there is to say of them.
pub enum Curve {
    P224,
    P256,
    P384,
    P521,
    BrainpoolP224r1,
    BrainpoolP256r1,
    BrainpoolP320r1,
    BrainpoolP384r1,
    BrainpoolP512r1,
}

/// `id-primeField`, 1.2.840.10045.1.1.
const PRIME_FIELD: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x01, 0x01];

impl Curve {
    /// All of them.
    pub const ALL: [Curve; 9] = [
        Self::P224,
        Self::P256,
        Self::P384,
        Self::P521,
        Self::BrainpoolP224r1,
        Self::BrainpoolP256r1,
        Self::BrainpoolP320r1,
        Self::BrainpoolP384r1,
        Self::BrainpoolP512r1,
    ];

    /// Returns the name: "brainpoolP512r1".
    pub fn name(self) -> &'static str {
        self.constants().name
    }

    /// Returns the content of the object identifier.
    pub fn oid(self) -> &'static [u8] {
        self.constants().oid
    }

    /// Returns the length of a coordinate in bytes.
    pub fn field_length(self) -> usize {
        self.constants().p.len()
    }

    /// Returns the length of a secret, and of each half of a signature, in bytes.
    pub fn order_length(self) -> usize {
        self.constants().n.len()
    }

    /// Returns the curve that `EcpkParameters` name or describe (RFC 5480, 2.1.1; RFC 3279, 2.3.5).
    ///
    /// ICAO 9303-12, 4.1.6.3 has states describe their curve. The description is accepted if p, a,
    /// b, generator, order and cofactor are those of one known curve. The seed proves only where b
    /// came from and is left out; the cofactor follows from the rest and may be left out.
    pub fn from_parameters(parameters: &[u8]) -> Result<Curve, ParseError> {
        let element = tlv::first(parameters)?;
        if element.whole.len() != parameters.len() {
            return Err(Malformed("bytes after the parameters of a curve").into());
        }
        if element.tag == 0x06 {
            let named = Self::ALL.into_iter().find(|curve| curve.oid() == element.value);
            return Ok(named.ok_or(Unsupported::Curve)?);
        }
        if element.tag != 0x30 {
            return Err(Unsupported::Curve.into());
        }
        let mut fields = element.children();
        fields.expect(0x02)?;
        let mut field = fields.expect(0x30)?.children();
        if field.expect(0x06)?.value != PRIME_FIELD {
            return Err(Unsupported::Curve.into());
        }
        let p = number(field.expect(0x02)?.value);
        let mut equation = fields.expect(0x30)?.children();
        let a = number(equation.expect(0x04)?.value);
        let b = number(equation.expect(0x04)?.value);
        let generator = fields.expect(0x04)?.value;
        let n = number(fields.expect(0x02)?.value);
        let cofactor = fields.optional(0x02)?.map_or(&[1][..], |cofactor| number(cofactor.value));
        fields.end()?;
        let described = |curve: &Curve| {
            let known = curve.constants();
            p == number(known.p)
                && a == number(known.a)
                && b == number(known.b)
                && curve.is_generator(generator)
                && n == number(known.n)
                && cofactor == [1]
        };
        Ok(Self::ALL.into_iter().find(described).ok_or(Unsupported::Curve)?)
    }

    /// Returns `EcpkParameters` with the curve's name.
    pub fn named_parameters(self) -> Vec<u8> {
        tlv::element(0x06, self.oid())
    }

    /// Returns `EcpkParameters` with all of the curve's numbers, as ICAO 9303-12 asks of states.
    pub fn explicit_parameters(self) -> Vec<u8> {
        let known = self.constants();
        let mut field = tlv::element(0x06, PRIME_FIELD);
        field.extend(unsigned_integer(known.p));
        let mut equation = tlv::element(0x04, known.a);
        tlv::write(&mut equation, 0x04, known.b);
        let mut content = tlv::element(0x02, &[1]);
        tlv::write(&mut content, 0x30, &field);
        tlv::write(&mut content, 0x30, &equation);
        tlv::write(&mut content, 0x04, &[&[0x04], known.x, known.y].concat());
        content.extend(unsigned_integer(known.n));
        tlv::write(&mut content, 0x02, &[1]);
        tlv::element(0x30, &content)
    }

    /// Whether `point` is the generator, in the long or the short form (SEC 1, 2.3.3).
    fn is_generator(self, point: &[u8]) -> bool {
        let known = self.constants();
        let parity = known.y.last().map_or(0, |last| last & 1);
        match point.split_first() {
            Some((0x04, rest)) => rest == [known.x, known.y].concat(),
            Some((first, rest)) => *first == 0x02 | parity && rest == known.x,
            None => false,
        }
    }

    fn constants(self) -> &'static Constants {
        match self {
            Self::P224 => &known::P224,
            Self::P256 => &known::P256,
            Self::P384 => &known::P384,
            Self::P521 => &known::P521,
            Self::BrainpoolP224r1 => &known::BRAINPOOL_P224R1,
            Self::BrainpoolP256r1 => &known::BRAINPOOL_P256R1,
            Self::BrainpoolP320r1 => &known::BRAINPOOL_P320R1,
            Self::BrainpoolP384r1 => &known::BRAINPOOL_P384R1,
            Self::BrainpoolP512r1 => &known::BRAINPOOL_P512R1,
        }
    }

    fn arithmetic(self) -> &'static Arithmetic {
        static ARITHMETIC: [OnceLock<Arithmetic>; Curve::ALL.len()] =
            [const { OnceLock::new() }; Curve::ALL.len()];
        let curve = self;
        ARITHMETIC[curve as usize].get_or_init(|| Arithmetic::of(self.constants()))
    }
}

/// A point of a known curve, other than infinity: all that a public key has to be, since the order
/// of every known curve is prime.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Point {
    curve: Curve,
    /// Coordinates, each in [`Curve::field_length`] bytes.
    x: Vec<u8>,
    y: Vec<u8>,
}

impl Point {
    /// Returns the point that `bytes` write in the long form: `04`, x, y (SEC 1, 2.3.4).
    pub fn from_bytes(curve: Curve, bytes: &[u8]) -> Result<Point, ParseError> {
        let (x, y) = match bytes.split_first() {
            Some((0x04, rest)) if rest.len() == 2 * curve.field_length() => {
                rest.split_at(curve.field_length())
            }
            Some((0x02 | 0x03, rest)) if rest.len() == curve.field_length() => {
                return Err(Unsupported::CompressedPoint.into());
            }
            _ => return Err(Malformed("a point of the wrong length").into()),
        };
        let arithmetic = curve.arithmetic();
        let (Some(x_value), Some(y_value)) = (arithmetic.field.value(x), arithmetic.field.value(y))
        else {
            return Err(Malformed("a coordinate that is not below the prime").into());
        };
        if !arithmetic.is_on_curve(&x_value, &y_value) {
            return Err(Malformed("a point that is not on its curve").into());
        }
        Ok(Point { curve, x: x.to_vec(), y: y.to_vec() })
    }

    /// Returns the long form.
    pub fn to_bytes(&self) -> Vec<u8> {
        [&[0x04], &self.x[..], &self.y].concat()
    }

    /// Returns the curve.
    pub fn curve(&self) -> Curve {
        self.curve
    }

    /// Whether (`r`, `s`) is this public key's ECDSA signature of a message with `hash` (BSI
    /// TR-03111, 4.2.1.2).
    pub fn verifies(&self, hash: &[u8], r: &[u8], s: &[u8]) -> bool {
        let arithmetic = self.curve.arithmetic();
        let (Some(r_value), Some(s_value)) =
            (arithmetic.scalars.value(r), arithmetic.scalars.value(s))
        else {
            return false;
        };
        if is_zero(&r_value) || is_zero(&s_value) {
            return false;
        }
        let Some(inverse) = s_value.invert_vartime().into_option() else { return false };
        let u1 = arithmetic.hash(hash).mul(&inverse);
        let u2 = r_value.mul(&inverse);
        let own = Jacobian::of(&arithmetic.field, &self.x, &self.y);
        let sum = arithmetic
            .sum_of_products([(&u1.retrieve(), &arithmetic.generator), (&u2.retrieve(), &own)]);
        let Some((x, _)) = sum.affine() else { return false };
        // x is below p, which may be above n.
        arithmetic.scalars.reduced(x.retrieve()).retrieve() == r_value.retrieve()
    }
}

/// The secret half of a key of an invented state or card.
///
/// Its work takes a time that depends on the secret: never hand it one that matters.
#[cfg(any(test, feature = "cli"))]
#[derive(Clone)]
pub struct SigningKey {
    curve: Curve,
    secret: BoxedMontyForm,
    bytes: Vec<u8>,
}

#[cfg(any(test, feature = "cli"))]
impl SigningKey {
    /// Returns the key that `secret` stands for, big-endian and modulo the order; `None` for zero.
    pub fn new(curve: Curve, secret: &[u8]) -> Option<SigningKey> {
        let secret = BoxedUint::from_be_slice_vartime(secret);
        let secret = curve.arithmetic().scalars.reduced(secret);
        let bytes = fixed(&secret.retrieve(), curve.order_length());
        (!is_zero(&secret)).then_some(SigningKey { curve, secret, bytes })
    }

    /// Returns the curve.
    pub fn curve(&self) -> Curve {
        self.curve
    }

    /// Returns the secret in [`Curve::order_length`] bytes.
    pub fn secret(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the public key.
    pub fn public(&self) -> Point {
        let (x, y) = self.multiple_of_generator(&self.secret.retrieve());
        Point { curve: self.curve, x, y }
    }

    /// Returns r and s of `hash`, each in [`Curve::order_length`] bytes.
    ///
    /// The same key and hash give the same signature: the nonce is a hash of both, which is not RFC
    /// 6979 and enough for what is invented.
    pub fn sign(&self, hash: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let arithmetic = self.curve.arithmetic();
        let scalars = &arithmetic.scalars;
        let mut round = 0_u32;
        loop {
            let parts = [&self.bytes[..], hash, &round.to_be_bytes()];
            let seed = super::hash::HashAlgorithm::Sha512.digest_of(&parts);
            round += 1;
            let nonce = arithmetic.hash(&seed);
            let Some(inverse) = nonce.invert_vartime().into_option() else { continue };
            let (x, _) = self.multiple_of_generator(&nonce.retrieve());
            let r = scalars.residue(&x);
            let s = arithmetic.hash(hash).add(&r.mul(&self.secret)).mul(&inverse);
            if !is_zero(&r) && !is_zero(&s) {
                let length = self.curve.order_length();
                return (fixed(&r.retrieve(), length), fixed(&s.retrieve(), length));
            }
        }
    }

    fn multiple_of_generator(&self, factor: &BoxedUint) -> (Vec<u8>, Vec<u8>) {
        let arithmetic = self.curve.arithmetic();
        let length = self.curve.field_length();
        let product = arithmetic.sum_of_products([(factor, &arithmetic.generator)]);
        // Infinity comes of multiples of the order, and factors are between zero and it.
        product.affine().map_or_else(Default::default, |(x, y)| {
            (fixed(&x.retrieve(), length), fixed(&y.retrieve(), length))
        })
    }
}

/// Integers modulo a prime.
struct Modulus {
    parameters: BoxedMontyParams,
}

impl Modulus {
    fn of(prime: &[u8]) -> Modulus {
        let bits = 8 * prime.len() as u32;
        let prime = BoxedUint::from_be_slice_truncated(prime, bits).into_odd();
        let prime = prime.into_option().expect("the known primes are odd");
        Modulus { parameters: BoxedMontyParams::new_vartime(prime) }
    }

    fn bits(&self) -> u32 {
        self.parameters.bits_precision()
    }

    /// Returns the residue of a big-endian number, or `None` if it is not below the modulus.
    fn value(&self, bytes: &[u8]) -> Option<BoxedMontyForm> {
        let value = BoxedUint::from_be_slice(number(bytes), self.bits()).ok()?;
        (value < *self.parameters.modulus().as_ref()).then(|| self.reduced(value))
    }

    /// Returns the residue of a big-endian number that has no more bytes than the modulus.
    fn residue(&self, bytes: &[u8]) -> BoxedMontyForm {
        self.reduced(BoxedUint::from_be_slice_truncated(bytes, self.bits()))
    }

    /// Returns the residue of a number, whatever its size.
    fn reduced(&self, value: BoxedUint) -> BoxedMontyForm {
        let value = value.rem_vartime(self.parameters.modulus().as_nz_ref());
        BoxedMontyForm::new(value, &self.parameters)
    }
}

/// What working on one curve needs, made once.
struct Arithmetic {
    field: Modulus,
    scalars: Modulus,
    /// Length of the order in bytes.
    order_length: usize,
    a: BoxedMontyForm,
    b: BoxedMontyForm,
    generator: Jacobian,
}

impl Arithmetic {
    fn of(known: &Constants) -> Arithmetic {
        let field = Modulus::of(known.p);
        Arithmetic {
            scalars: Modulus::of(known.n),
            order_length: known.n.len(),
            a: field.residue(known.a),
            b: field.residue(known.b),
            generator: Jacobian::of(&field, known.x, known.y),
            field,
        }
    }

    fn is_on_curve(&self, x: &BoxedMontyForm, y: &BoxedMontyForm) -> bool {
        // y² = x³ + ax + b
        y.square() == x.square().add(&self.a).mul(x).add(&self.b)
    }

    /// Returns a hash as ECDSA takes it: its leftmost bits, as many as the order has.
    ///
    /// The order of P-521 is longer than any hash and those of all others fill whole bytes, so bytes
    /// are enough.
    fn hash(&self, hash: &[u8]) -> BoxedMontyForm {
        let hash = &hash[..hash.len().min(self.order_length)];
        self.scalars.residue(hash)
    }

    /// Returns the sum of the points, each times its factor.
    ///
    /// Four bits of all factors at a time, so that the doublings are shared: a signature on
    /// brainpoolP512r1 takes 4 ms.
    fn sum_of_products<const N: usize>(&self, products: [(&BoxedUint, &Jacobian); N]) -> Jacobian {
        let infinity = Jacobian {
            x: BoxedMontyForm::one(&self.field.parameters),
            y: BoxedMontyForm::one(&self.field.parameters),
            z: BoxedMontyForm::zero(&self.field.parameters),
        };
        // Of each point the multiples by 0 to 15.
        let products = products.map(|(factor, point)| {
            let mut multiples = vec![infinity.clone()];
            for count in 1..16 {
                multiples.push(self.add(&multiples[count - 1], point));
            }
            (factor.to_be_bytes(), multiples)
        });
        let length = products.iter().map(|(factor, _)| factor.len()).max().unwrap_or(0);
        let mut sum = infinity;
        for at in 0..2 * length {
            for _ in 0..4 {
                sum = self.double(&sum);
            }
            for (factor, multiples) in &products {
                let byte = factor[at / 2];
                let four_bits = if at % 2 == 0 { byte >> 4 } else { byte & 0x0F };
                if four_bits != 0 {
                    sum = self.add(&sum, &multiples[usize::from(four_bits)]);
                }
            }
        }
        sum
    }

    fn double(&self, point: &Jacobian) -> Jacobian {
        if is_zero(&point.z) {
            return point.clone();
        }
        let y_squared = point.y.square();
        let s = point.x.mul(&y_squared).double().double();
        let x_squared = point.x.square();
        let z_to_the_fourth = point.z.square().square();
        let m = x_squared.double().add(&x_squared).add(&self.a.mul(&z_to_the_fourth));
        let x = m.square().sub(&s.double());
        let eight_y_to_the_fourth = y_squared.square().double().double().double();
        let y = m.mul(&s.sub(&x)).sub(&eight_y_to_the_fourth);
        let z = point.y.mul(&point.z).double();
        Jacobian { x, y, z }
    }

    fn add(&self, one: &Jacobian, other: &Jacobian) -> Jacobian {
        if is_zero(&one.z) {
            return other.clone();
        }
        if is_zero(&other.z) {
            return one.clone();
        }
        let one_z_squared = one.z.square();
        let other_z_squared = other.z.square();
        let u1 = one.x.mul(&other_z_squared);
        let u2 = other.x.mul(&one_z_squared);
        let s1 = one.y.mul(&other_z_squared).mul(&other.z);
        let s2 = other.y.mul(&one_z_squared).mul(&one.z);
        let h = u2.sub(&u1);
        let r = s2.sub(&s1);
        if is_zero(&h) {
            // The same point; or its negative, which gives infinity.
            let mut double = self.double(one);
            if !is_zero(&r) {
                double.z = BoxedMontyForm::zero(&self.field.parameters);
            }
            return double;
        }
        let h_squared = h.square();
        let h_cubed = h_squared.mul(&h);
        let v = u1.mul(&h_squared);
        let x = r.square().sub(&h_cubed).sub(&v.double());
        let y = r.mul(&v.sub(&x)).sub(&s1.mul(&h_cubed));
        let z = h.mul(&one.z).mul(&other.z);
        Jacobian { x, y, z }
    }
}

/// A point (x/z², y/z³); infinity has z = 0.
#[derive(Clone)]
struct Jacobian {
    x: BoxedMontyForm,
    y: BoxedMontyForm,
    z: BoxedMontyForm,
}

impl Jacobian {
    fn of(field: &Modulus, x: &[u8], y: &[u8]) -> Jacobian {
        let z = BoxedMontyForm::one(&field.parameters);
        Jacobian { x: field.residue(x), y: field.residue(y), z }
    }

    /// Returns x and y, or `None` for infinity.
    fn affine(&self) -> Option<(BoxedMontyForm, BoxedMontyForm)> {
        let inverse = self.z.invert_vartime().into_option()?;
        let squared = inverse.square();
        Some((self.x.mul(&squared), self.y.mul(&squared).mul(&inverse)))
    }
}

fn is_zero(value: &BoxedMontyForm) -> bool {
    value.is_zero().into()
}

/// Returns a big-endian number without leading zeros.
pub(super) fn number(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    &bytes[zeros..]
}

/// Returns the INTEGER of a number that is not negative.
pub(super) fn unsigned_integer(bytes: &[u8]) -> Vec<u8> {
    let bytes = number(bytes);
    match bytes.first() {
        // A first bit of 1 would say that it is negative.
        Some(0x80..) | None => tlv::element(0x02, &[&[0], bytes].concat()),
        Some(_) => tlv::element(0x02, bytes),
    }
}

/// Returns the number in `length` bytes, which must be enough.
#[cfg(any(test, feature = "cli"))]
fn fixed(value: &BoxedUint, length: usize) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    let mut out = vec![0; length.saturating_sub(bytes.len())];
    out.extend_from_slice(&bytes[bytes.len().saturating_sub(length)..]);
    out
}
