//! Answers and commands that seem to be protected, with a wrong MAC and with the right one.
#![no_main]

use fieldcheck::chip::apdu::{Command, Response, Status};
use fieldcheck::chip::secure_messaging::{Broken, SecureMessaging};
use fieldcheck::chip::symmetric::{Cipher, SessionKeys, pad};
use fieldcheck::chip::tlv;
use fieldcheck_fuzz::Input;
use libfuzzer_sys::fuzz_target;

/// Returns the elements with the MAC that the first message of a session has to have.
fn with_mac(keys: &SessionKeys, header: Option<[u8; 4]>, elements: &[u8]) -> Vec<u8> {
    let cipher = keys.encryption.cipher();
    let block = cipher.block_bytes();
    let mut message = vec![0; block];
    message[block - 1] = 1;
    message.extend(header.iter().flat_map(|header| pad(header, block).to_vec()));
    message.extend_from_slice(elements);
    let mac = match cipher {
        Cipher::TripleDes => keys.authentication.mac(&message),
        _ => keys.authentication.mac(&pad(&message, block)),
    };
    let mut whole = elements.to_vec();
    tlv::write(&mut whole, 0x8E, &mac.expect("a MAC"));
    whole
}

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input(bytes);
    let ciphers = [Cipher::TripleDes, Cipher::Aes128, Cipher::Aes192, Cipher::Aes256];
    let keys = SessionKeys::derive(ciphers[usize::from(input.byte() % 4)], b"no secret");
    let session = || SecureMessaging::new(keys.clone());
    let response = |data: &[u8]| Response { data: data.into(), status: Status::OK };

    let elements = input.0;
    assert!(session().open_response(&response(elements)).is_err(), "nobody has the key");
    let _ = session().open_response(&response(&with_mac(&keys, None, elements)));

    let Ok(mut command) = Command::decode(bytes) else { return };
    if session().open_command(&command).is_ok() {
        panic!("nobody has the key");
    }
    command.class |= Command::SECURED;
    command.data = with_mac(&keys, Some(command.header()), &command.data);
    let Ok(opened) = session().open_command(&command) else { return };
    // What a card understood, the other side can say.
    let again = session().protect_command(&opened).expect("protected");
    match session().open_command(&again) {
        Ok(read) => assert_eq!((read.data, read.expected), (opened.data, opened.expected)),
        Err(broken) => assert!(matches!(broken, Broken::Malformed(_)), "{broken}"),
    }
});
