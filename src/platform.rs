//! The edges of the device, one folder a platform: what other modules know as traits.
//!
//! [`desktop`] is for testers and developers. [`simulated`] is for tests, and for showing what the
//! hardware of a desktop cannot. Each trait has one set of contract tests, which every
//! implementation must pass; that of [`crate::keys::DeviceKey`] stands below.
//!
//! No rule is decided here: an implementation answers what it is asked.

pub mod desktop;
#[cfg(feature = "pcsc")]
pub mod pcsc;
pub mod process;
pub mod simulated;
pub mod tone;

#[cfg(test)]
mod tests {
    use super::desktop::SoftwareDeviceKey;
    use super::simulated::SimulatedDeviceKey;
    use crate::keys::{DeviceKey, fingerprint, queue_key, verifies};

    /// What every device key must hold to. `one` and `other` are two devices.
    fn check_device_key_contract(one: &dyn DeviceKey, other: &dyn DeviceKey) {
        // HMAC: the same for the same data, another for other data or another device.
        let mark = one.hmac(b"data").unwrap();
        assert_eq!(*mark, *one.hmac(b"data").unwrap());
        assert_ne!(*mark, *one.hmac(b"datA").unwrap());
        assert_ne!(*mark, *one.hmac(b"").unwrap());
        assert_ne!(*mark, *other.hmac(b"data").unwrap());
        one.hmac(&[0; 100_000]).expect("data of any length");

        // Signatures: verify under this device's public key, for this message, unchanged.
        let signature = one.sign(b"message").unwrap();
        assert!(verifies(&one.public_key(), b"message", &signature));
        assert!(!verifies(&one.public_key(), b"messagE", &signature));
        assert!(!verifies(&other.public_key(), b"message", &signature));
        for position in 0..signature.len() {
            let mut changed = signature;
            changed[position] ^= 0x01;
            assert!(!verifies(&one.public_key(), b"message", &changed), "byte {position}");
        }

        // Public key: a compressed point, the same every time, the device's own.
        assert!(matches!(one.public_key()[0], 0x02 | 0x03));
        assert_eq!(one.public_key(), one.public_key());
        assert_ne!(fingerprint(&one.public_key()), fingerprint(&other.public_key()));
        assert_eq!(one.protection(), one.protection());

        // The queue's key: the device's own, and no answer that anybody else asks for.
        let queue = queue_key(one).unwrap();
        assert_eq!(queue.expose(), queue_key(one).unwrap().expose());
        assert_ne!(queue.expose(), queue_key(other).unwrap().expose());
        assert_ne!(queue.expose(), &*one.hmac(b"").unwrap());
    }

    #[test]
    fn software_key_keeps_the_contract() {
        let folder = tempfile::tempdir().unwrap();
        let create = |name: &str| SoftwareDeviceKey::create(&folder.path().join(name)).unwrap();
        check_device_key_contract(&create("one"), &create("other"));
    }

    #[test]
    fn simulated_key_keeps_the_contract() {
        let (one, other) = (SimulatedDeviceKey::numbered(1), SimulatedDeviceKey::numbered(2));
        check_device_key_contract(&one, &other);
    }

    #[test]
    fn what_is_no_public_key_verifies_nothing() {
        let key = SimulatedDeviceKey::numbered(1);
        let signature = key.sign(b"message").unwrap();
        for tag in [0x00, 0x04, 0x05, 0xFF] {
            let mut public_key = key.public_key();
            public_key[0] = tag;
            assert!(!verifies(&public_key, b"message", &signature), "tag {tag:#04x}");
        }
        // 2^256 - 1 is larger than the field's prime.
        let mut beyond = [0xFF; 33];
        beyond[0] = 0x02;
        assert!(!verifies(&beyond, b"message", &signature));
        assert!(!verifies(&key.public_key(), b"message", &[0; 64]));
    }
}
