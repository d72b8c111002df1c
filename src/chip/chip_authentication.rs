//! Chip authentication: a chip that holds a private key proves it by speaking on.
//!
//! ICAO 9303-11, section 6.2. Data group 14 states a public key of the chip, and the security
//! object signs the group. We agree on a secret with that key and change the session to keys made
//! of it: an answer under the new session comes from the holder of the private key, which no copy
//! has. What it proves is proven here and now only; nobody else can check it afterwards.

use thiserror::Error;

use super::Malformed;
use super::agreement::{self, AgreementError, Exponent, Point, PrimeGroup, PrivateKey};
use super::algorithm::ParseError;
use super::apdu::{
    Command, GENERAL_AUTHENTICATE, MANAGE_SECURITY_ENVIRONMENT, READ_BINARY, Status,
};
use super::channel::{Channel, ChannelError};
use super::curves;
use super::files::FileId;
use super::public_key::PublicKey;
use super::secret::{NoRandomness, Randomness, SecretBytes};
use super::secure_messaging::{Broken, SecureMessaging};
use super::security_infos::{ChipAuthenticationInfo, KeyKind, SecurityInfos};
use super::symmetric::{Cipher, SessionKeys};
use super::tlv;

/// dhpublicnumber, 1.2.840.10046.2.1 (RFC 3279, 2.3.3): prime, generator, order.
const DH_PUBLIC_NUMBER: [u8; 7] = [0x2A, 0x86, 0x48, 0xCE, 0x3E, 0x02, 0x01];
/// dhKeyAgreement, 1.2.840.113549.1.3.1 (PKCS #3): prime, generator, length of a private key.
const DH_KEY_AGREEMENT: [u8; 9] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x03, 0x01];

/// How many bytes are read under the new session, to see that there is one.
const PROBE_BYTES: usize = 4;

/// Why a chip is not authenticated.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum ChipAuthenticationError {
    /// The chip refuses to begin.
    #[error("the card refuses chip authentication, status {0}")]
    Refused(Status),
    /// The group is none that we have.
    #[error("the group of chip authentication is not supported")]
    NotSupported,
    /// The key in data group 14 is no key.
    #[error("the key of chip authentication is malformed: {0}")]
    Malformed(#[from] Malformed),
    /// The chip's key is of no use.
    #[error("no secret is agreed on: {0}")]
    Agreement(#[from] AgreementError),
    /// The chip agreed, and does not have the key that it agreed by: it is a copy.
    #[error("the card does not answer under the keys that were agreed on: {0}")]
    WrongKey(Broken),
    /// A command before had no answer.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// There is nothing to make a key from.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

impl From<ParseError> for ChipAuthenticationError {
    fn from(error: ParseError) -> Self {
        match error {
            ParseError::Malformed(error) => Self::Malformed(error),
            ParseError::Unsupported(_) => Self::NotSupported,
        }
    }
}

/// One way of chip authentication, with the key for it.
#[derive(Clone)]
pub struct Offer {
    info: ChipAuthenticationInfo,
    public_key: Vec<u8>,
}

impl Offer {
    /// Returns the way to take: the strongest cipher of those whose key is one that we have a group
    /// for, and where there is none, of those that have a key.
    ///
    /// A key without a way is one of the oldest chips: 3DES (ICAO 9303-11, 9.2.5).
    pub fn best(infos: &SecurityInfos) -> Option<Self> {
        let mut offers: Vec<Self> = Vec::new();
        for key in &infos.chip_keys {
            let public_key = key.public_key.clone();
            let is_only =
                infos.chip_keys.iter().filter(|other| other.kind == key.kind).count() == 1;
            let mut ways = infos
                .chip_authentication
                .iter()
                .filter(|info| info.kind == key.kind)
                // One key needs no number: where only one of the two states it, they still belong
                // together, and nothing is referred to.
                .filter_map(|info| match (&info.key_id, &key.key_id) {
                    (way, key) if way == key => Some(info.clone()),
                    (None, Some(_)) | (Some(_), None) if is_only => {
                        Some(ChipAuthenticationInfo { key_id: None, ..info.clone() })
                    }
                    _ => None,
                })
                .peekable();
            if ways.peek().is_none() {
                let (kind, cipher, key_id) = (key.kind, Cipher::TripleDes, key.key_id.clone());
                let info = ChipAuthenticationInfo { kind, cipher, key_id };
                offers.push(Self { info, public_key: public_key.clone() });
            }
            offers.extend(ways.map(|info| Self { info, public_key: public_key.clone() }));
        }
        offers.into_iter().max_by_key(|offer| (offer.is_supported(), offer.info.cipher))
    }

    /// Whether the key is one that secrets are agreed on with.
    fn is_supported(&self) -> bool {
        StatedKey::read(self.info.kind, &self.public_key).is_ok()
    }

    /// Authenticates the chip. The channel speaks under the new session afterwards.
    ///
    /// Whatever error this returns, the old session may be over.
    pub fn run(
        &self,
        channel: &mut Channel<'_>,
        random: &mut dyn Randomness,
    ) -> Result<(), ChipAuthenticationError> {
        let (public, secret) = StatedKey::read(self.info.kind, &self.public_key)?.agree(random)?;
        match self.info.cipher {
            // ICAO 9303-11, 6.2.4.1: MSE:Set KAT does it all.
            Cipher::TripleDes => {
                let mut data = tlv::element(0x91, &public);
                self.reference_key(&mut data);
                set(channel, 0xA6, data)?;
            }
            // ICAO 9303-11, 6.2.4.2.
            Cipher::Aes128 | Cipher::Aes192 | Cipher::Aes256 => {
                let mut data = tlv::element(0x80, &self.info.oid());
                self.reference_key(&mut data);
                set(channel, 0xA4, data)?;
                let data = tlv::element(0x7C, &tlv::element(0x80, &public));
                let most = SecureMessaging::max_short_answer(Cipher::Aes256);
                let command = Command::new(GENERAL_AUTHENTICATE, 0, 0).with(data).expecting(most);
                accepted(&channel.send(&command)?.status)?;
            }
        }
        channel.open(SecureMessaging::new(SessionKeys::derive(self.info.cipher, &secret)));
        // Only an answer under the new session proves anything, whatever the answer is.
        let short = 0x80 | FileId::Dg(14).short_identifier();
        match channel.send(&Command::new(READ_BINARY, short, 0).expecting(PROBE_BYTES)) {
            Ok(_) => Ok(()),
            Err(ChannelError::Broken(broken)) => Err(ChipAuthenticationError::WrongKey(broken)),
            Err(error) => Err(error.into()),
        }
    }

    fn reference_key(&self, data: &mut Vec<u8>) {
        if let Some(id) = &self.info.key_id {
            tlv::write(data, 0x84, id);
        }
    }
}

fn set(
    channel: &mut Channel<'_>,
    template: u8,
    data: Vec<u8>,
) -> Result<(), ChipAuthenticationError> {
    let command = Command::new(MANAGE_SECURITY_ENVIRONMENT, 0x41, template).with(data);
    accepted(&channel.send(&command)?.status)
}

fn accepted(status: &Status) -> Result<(), ChipAuthenticationError> {
    match *status {
        Status::OK => Ok(()),
        status => Err(ChipAuthenticationError::Refused(status)),
    }
}

/// The public key that data group 14 states.
enum StatedKey {
    Curve(agreement::Curve, Point),
    Prime(PrimeGroup, Vec<u8>),
}

impl StatedKey {
    fn read(kind: KeyKind, spki: &[u8]) -> Result<Self, ChipAuthenticationError> {
        match kind {
            KeyKind::Ecdh => {
                let PublicKey::Ec(point) = PublicKey::from_spki(spki)? else {
                    return Err(ChipAuthenticationError::NotSupported);
                };
                let curve = agreement::Curve::of(point.curve())
                    .ok_or(ChipAuthenticationError::NotSupported)?;
                Ok(Self::Curve(curve, curve.point(&point.to_bytes())?))
            }
            KeyKind::Dh => {
                let mut fields = tlv::only(spki, 0x30)?.children();
                let mut identifier = fields.expect(0x30)?.children();
                let oid = identifier.expect(0x06)?.value;
                let has_order = oid == DH_PUBLIC_NUMBER;
                if !has_order && oid != DH_KEY_AGREEMENT {
                    return Err(ChipAuthenticationError::NotSupported);
                }
                let mut parameters = identifier.expect(0x30)?.children();
                let prime = parameters.expect(0x02)?.value;
                let generator = parameters.expect(0x02)?.value;
                let order = match has_order {
                    true => Some(parameters.expect(0x02)?.value),
                    false => None,
                };
                let group = PrimeGroup::new(prime, generator, order)?;
                let [0, key @ ..] = fields.expect(0x03)?.value else {
                    return Err(Malformed("a key that is not whole bytes").into());
                };
                Ok(Self::Prime(group, tlv::only(key, 0x02)?.value.to_vec()))
            }
        }
    }

    /// Returns a new public key of ours, and the secret shared by it.
    fn agree(
        &self,
        random: &mut dyn Randomness,
    ) -> Result<(Vec<u8>, SecretBytes), ChipAuthenticationError> {
        match self {
            Self::Curve(curve, theirs) => {
                let private = curve.private_key(random)?;
                let public = private.times(&curve.generator())?;
                Ok((public.as_bytes().to_vec(), private.times(theirs)?.x().into()))
            }
            Self::Prime(group, theirs) => {
                let private = group.private_key(random)?;
                Ok((group.public_key(&private), group.agree(&private, theirs)?))
            }
        }
    }
}

impl agreement::Curve {
    /// Returns the curve of a stated key, where secrets are agreed on over it.
    fn of(stated: curves::Curve) -> Option<Self> {
        match stated {
            curves::Curve::P256 => Some(Self::P256),
            curves::Curve::P384 => Some(Self::P384),
            curves::Curve::P521 => Some(Self::P521),
            curves::Curve::BrainpoolP256r1 => Some(Self::BrainpoolP256),
            curves::Curve::BrainpoolP384r1 => Some(Self::BrainpoolP384),
            curves::Curve::P224
            | curves::Curve::BrainpoolP224r1
            | curves::Curve::BrainpoolP320r1
            | curves::Curve::BrainpoolP512r1 => None,
        }
    }
}

/// The private key of a chip.
#[derive(Debug)]
pub enum ChipKey {
    /// For a curve.
    Curve(PrivateKey),
    /// For a group of numbers.
    Prime(PrimeGroup, Exponent),
}

impl ChipKey {
    /// Returns the session that a terminal with this public key gets (card).
    pub fn session(
        &self,
        cipher: Cipher,
        terminal: &[u8],
    ) -> Result<SecureMessaging, AgreementError> {
        let secret = match self {
            Self::Curve(key) => key.times(&key.curve().point(terminal)?)?.x().into(),
            Self::Prime(group, key) => group.agree(key, terminal)?,
        };
        Ok(SecureMessaging::new(SessionKeys::derive(cipher, &secret)))
    }

    /// Returns SubjectPublicKeyInfo of the key: the curve by all of its numbers, as chips have it.
    pub fn to_spki(&self) -> Result<Vec<u8>, ChipAuthenticationError> {
        match self {
            Self::Curve(key) => {
                let curve = match key.curve() {
                    agreement::Curve::P256 => curves::Curve::P256,
                    agreement::Curve::P384 => curves::Curve::P384,
                    agreement::Curve::P521 => curves::Curve::P521,
                    agreement::Curve::BrainpoolP256 => curves::Curve::BrainpoolP256r1,
                    agreement::Curve::BrainpoolP384 => curves::Curve::BrainpoolP384r1,
                };
                let public = key.times(&key.curve().generator())?;
                let point = curves::Point::from_bytes(curve, public.as_bytes())?;
                Ok(PublicKey::Ec(point).to_explicit_spki())
            }
            Self::Prime(group, key) => {
                let [prime, generator, order] = group.numbers();
                let mut parameters = curves::unsigned_integer(&prime);
                parameters.extend(curves::unsigned_integer(&generator));
                let oid = match order.is_empty() {
                    true => tlv::element(0x06, &DH_KEY_AGREEMENT),
                    false => {
                        parameters.extend(curves::unsigned_integer(&order));
                        tlv::element(0x06, &DH_PUBLIC_NUMBER)
                    }
                };
                let identifier = [oid, tlv::element(0x30, &parameters)].concat();
                let mut content = tlv::element(0x30, &identifier);
                let public = curves::unsigned_integer(&group.public_key(key));
                tlv::write(&mut content, 0x03, &[&[0], &public[..]].concat());
                Ok(tlv::element(0x30, &content))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::super::apdu::Response;
    use super::super::secret::SystemRandomness;
    use super::super::security_infos::{ChipAuthenticationKey, VIETNAMESE_CARD_ACCESS, encode_set};
    use super::super::{Card, CardError, CardIdentity};
    use super::*;

    /// A chip under a session, which knows chip authentication and nothing else.
    struct Chip {
        session: SecureMessaging,
        cipher: Cipher,
        key: ChipKey,
        refuses: bool,
    }

    impl Card for Chip {
        fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, CardError> {
            let command = Command::decode(command).expect("a command");
            let Ok(command) = self.session.open_command(&command) else {
                return Ok(Response::of(Status::PROTECTION_WRONG).encode());
            };
            let mut next = None;
            let mut answer = Response::of(Status::OK);
            let take = |tag, data: &[u8]| {
                let mut found = tlv::Elements::new(data);
                let terminal = found.expect(tag).expect("a key").value;
                self.key.session(self.cipher, terminal).expect("a session")
            };
            match (command.instruction, command.parameters) {
                _ if self.refuses => answer.status = Status::REFERENCE_NOT_FOUND,
                (MANAGE_SECURITY_ENVIRONMENT, [0x41, 0xA6]) => {
                    next = Some(take(0x91, &command.data));
                }
                (MANAGE_SECURITY_ENVIRONMENT, [0x41, 0xA4]) => {}
                (GENERAL_AUTHENTICATE, _) => {
                    let sent = tlv::only(&command.data, 0x7C).expect("data").value;
                    next = Some(take(0x80, sent));
                    answer.data = vec![0x7C, 0x00].into();
                }
                _ => answer.status = Status::FILE_NOT_FOUND,
            }
            let answer = self.session.protect_response(&answer, command.instruction);
            if let Some(next) = next {
                self.session = next;
            }
            Ok(answer.expect("protected").encode())
        }

        fn reconnect(&mut self, _patience: Duration) -> Result<(), CardError> {
            Err(CardError::Lost)
        }

        fn identity(&self) -> CardIdentity {
            CardIdentity { reader: String::new(), atr: Vec::new() }
        }

        fn is_simulated(&self) -> bool {
            true
        }
    }

    fn curve_key() -> ChipKey {
        let curve = agreement::Curve::BrainpoolP256;
        ChipKey::Curve(curve.private_key(&mut SystemRandomness).expect("a key"))
    }

    fn offer(kind: KeyKind, cipher: Cipher, key: &ChipKey) -> Offer {
        let info = ChipAuthenticationInfo { kind, cipher, key_id: Some(vec![1]) };
        Offer { info, public_key: key.to_spki().expect("a key") }
    }

    /// Runs with a chip that holds `key`.
    fn run(
        offer: &Offer,
        key: ChipKey,
        refuses: bool,
    ) -> (Result<(), ChipAuthenticationError>, u32) {
        let keys = SessionKeys::derive(Cipher::TripleDes, b"the session before");
        let session = SecureMessaging::new(keys);
        let cipher = offer.info.cipher;
        let mut chip = Chip { session: session.clone(), cipher, key, refuses };
        let mut channel = Channel::new(&mut chip, 10);
        channel.open(session);
        let result = offer.run(&mut channel, &mut SystemRandomness);
        if result.is_ok() {
            assert_eq!(channel.session().map(SecureMessaging::cipher), Some(cipher));
        }
        (result, channel.traffic.commands)
    }

    fn prime_key() -> ChipKey {
        let group = agreement::vectors::group();
        let key = group.private_key(&mut SystemRandomness).expect("a key");
        ChipKey::Prime(group, key)
    }

    #[test]
    fn chip_with_the_private_key_is_authenticated() {
        for cipher in [Cipher::TripleDes, Cipher::Aes128, Cipher::Aes192, Cipher::Aes256] {
            for (kind, key) in [(KeyKind::Ecdh, curve_key()), (KeyKind::Dh, prime_key())] {
                let (result, commands) = run(&offer(kind, cipher, &key), key, false);
                assert_eq!(result, Ok(()), "{kind:?} {cipher:?}");
                assert_eq!(commands, if cipher == Cipher::TripleDes { 2 } else { 3 });
            }
        }
    }

    #[test]
    fn copy_without_the_private_key_is_found_out() {
        for cipher in [Cipher::TripleDes, Cipher::Aes128] {
            let (result, _) = run(&offer(KeyKind::Ecdh, cipher, &curve_key()), curve_key(), false);
            let broken = Broken::NotProtected(Status::PROTECTION_WRONG);
            assert_eq!(result, Err(ChipAuthenticationError::WrongKey(broken)));
        }
    }

    #[test]
    fn refusal_is_named() {
        let key = curve_key();
        let (result, _) = run(&offer(KeyKind::Ecdh, Cipher::Aes128, &key), key, true);
        assert_eq!(result, Err(ChipAuthenticationError::Refused(Status::REFERENCE_NOT_FOUND)));
    }

    #[test]
    fn strongest_way_that_has_a_key_is_taken() {
        let key = |kind, id: u8| ChipAuthenticationKey {
            kind,
            public_key: vec![0x30, 0x00],
            key_id: Some(vec![id]),
        };
        let way =
            |kind, cipher, id: u8| ChipAuthenticationInfo { kind, cipher, key_id: Some(vec![id]) };
        let infos = |ways: &[ChipAuthenticationInfo], keys: &[ChipAuthenticationKey]| {
            let ways = ways.iter().map(ChipAuthenticationInfo::encode);
            let all: Vec<_> = ways.chain(keys.iter().map(ChipAuthenticationKey::encode)).collect();
            SecurityInfos::of_card_access(&encode_set(&all)).expect("infos")
        };
        let (weak, strong) =
            (way(KeyKind::Ecdh, Cipher::Aes128, 1), way(KeyKind::Ecdh, Cipher::Aes256, 2));
        let ways = [weak.clone(), strong.clone()];
        let best = |infos: &SecurityInfos| Offer::best(infos).map(|offer| offer.info);
        let all = infos(&ways, &[key(KeyKind::Ecdh, 1), key(KeyKind::Ecdh, 2)]);
        assert_eq!(best(&all), Some(strong));
        assert_eq!(best(&infos(&ways, &[key(KeyKind::Ecdh, 1)])), Some(weak));
        // Only one of the two numbers the only key: it is the only one all the same.
        let unnumbered = ChipAuthenticationInfo { key_id: None, ..ways[0].clone() };
        let found = best(&infos(std::slice::from_ref(&unnumbered), &[key(KeyKind::Ecdh, 1)]));
        assert_eq!(found, Some(unnumbered.clone()));
        let bare = ChipAuthenticationKey { key_id: None, ..key(KeyKind::Ecdh, 1) };
        assert_eq!(best(&infos(&ways[..1], &[bare])), Some(unnumbered.clone()));
        // Of two keys, a way without a number means neither.
        let two = [key(KeyKind::Ecdh, 1), key(KeyKind::Ecdh, 2)];
        let found = best(&infos(&[unnumbered], &two)).expect("an offer");
        assert_eq!(found.cipher, Cipher::TripleDes);
        let alone = infos(&[], &[key(KeyKind::Dh, 7)]);
        assert_eq!(best(&alone), Some(way(KeyKind::Dh, Cipher::TripleDes, 7)));
        // EF.CardAccess states the way and no key.
        let card_access = SecurityInfos::of_card_access(&VIETNAMESE_CARD_ACCESS).expect("infos");
        assert_eq!(best(&card_access), None);
    }

    #[test]
    fn way_whose_key_is_supported_goes_before_a_stronger_one() {
        let large = curves::SigningKey::new(curves::Curve::BrainpoolP512r1, &[7]);
        let large = PublicKey::Ec(large.expect("a key").public()).to_spki();
        let small = curve_key().to_spki().expect("a key");
        let kind = KeyKind::Ecdh;
        let mut infos = SecurityInfos::default();
        for (cipher, id, public_key) in [(Cipher::Aes256, 1, large), (Cipher::Aes128, 2, small)] {
            let key_id = Some(vec![id]);
            infos.chip_keys.push(ChipAuthenticationKey {
                kind,
                public_key,
                key_id: key_id.clone(),
            });
            infos.chip_authentication.push(ChipAuthenticationInfo { kind, cipher, key_id });
        }
        let best = |infos: &SecurityInfos| Offer::best(infos).map(|offer| offer.info.cipher);
        assert_eq!(best(&infos), Some(Cipher::Aes128));
        infos.chip_keys.pop();
        assert_eq!(best(&infos), Some(Cipher::Aes256));
    }

    #[test]
    fn keys_of_other_groups_are_named() {
        let stated = |kind, spki: &[u8]| StatedKey::read(kind, spki).map(|_| ());
        let large = curves::SigningKey::new(curves::Curve::BrainpoolP512r1, &[7]);
        let large = PublicKey::Ec(large.expect("a key").public()).to_spki();
        let not_supported = Err(ChipAuthenticationError::NotSupported);
        assert_eq!(stated(KeyKind::Ecdh, &large), not_supported);
        assert_eq!(stated(KeyKind::Dh, &large), not_supported);
        let prime = prime_key().to_spki().expect("a key");
        assert_eq!(stated(KeyKind::Ecdh, &prime), not_supported);
        let broken = stated(KeyKind::Ecdh, &prime[1..]);
        assert!(matches!(broken, Err(ChipAuthenticationError::Malformed(_))), "{broken:?}");
    }

    proptest! {
        #[test]
        fn any_key_is_read_without_a_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..60),
            at in any::<prop::sample::Index>(),
            byte in any::<u8>(),
        ) {
            let _ = StatedKey::read(KeyKind::Ecdh, &bytes);
            let _ = StatedKey::read(KeyKind::Dh, &bytes);
            let mut changed = prime_key().to_spki().expect("a key");
            let at = at.index(changed.len());
            changed[at] = byte;
            let _ = StatedKey::read(KeyKind::Dh, &changed);
        }
    }
}
