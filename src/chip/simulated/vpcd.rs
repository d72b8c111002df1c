//! The simulated card in a virtual reader: the protocol of vsmartcard's `vpcd`.
//!
//! `vpcd` is a driver of pcscd that has a TCP port in place of an antenna: whoever connects to it
//! is the card. So a program is read through the real service, the real library and every line of
//! ours that a card of plastic is read through; only the radio is missing.
//!
//! Each message is two bytes of length, most significant first, and as many bytes. A message of one
//! byte is for the card's power, any other is a command. See `vpcd.h` of vsmartcard.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use rustix::net::sockopt::set_tcp_quickack;

use super::card::{Reaction, SimulatedCard};

/// The port of the first virtual reader; the second has the next.
pub const PORT: u16 = 35_963;

/// Messages of one byte, by that byte.
const POWER_OFF: u8 = 0;
const POWER_ON: u8 = 1;
const RESET: u8 = 2;
const GET_ATR: u8 = 4;

/// A virtual reader with a card in it. Dropped, the card is pulled out.
pub struct Slot {
    stream: TcpStream,
}

/// Pulls the card out from another thread.
pub struct Pull {
    stream: TcpStream,
}

/// Why a card is no longer served.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Left {
    /// It left the field by itself, as one of its faults has it.
    Gone,
    /// It was pulled out, or the reader's service ended.
    Pulled,
}

impl Slot {
    /// Puts a card into the reader that listens at `reader`.
    ///
    /// # Errors
    ///
    /// The system's, where nobody listens. Where another card is in the reader already, the port
    /// takes this one too and never asks it anything.
    pub fn insert(reader: SocketAddr) -> io::Result<Slot> {
        let stream = TcpStream::connect(reader)?;
        stream.set_nodelay(true)?;
        Ok(Slot { stream })
    }

    /// Returns what pulls the card out while it is served.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn pull(&self) -> io::Result<Pull> {
        Ok(Pull { stream: self.stream.try_clone()? })
    }

    /// Answers for the card until it leaves the reader.
    ///
    /// # Errors
    ///
    /// The system's, other than that the connection has ended.
    pub fn serve(mut self, card: &mut SimulatedCard) -> io::Result<Left> {
        match self.serve_on(card) {
            Ok(()) => Ok(Left::Gone),
            Err(error) if has_ended(error.kind()) => Ok(Left::Pulled),
            Err(error) => Err(error),
        }
    }

    /// Answers until the card leaves the field by itself.
    fn serve_on(&mut self, card: &mut SimulatedCard) -> io::Result<()> {
        loop {
            let message = self.receive()?;
            match message.as_slice() {
                [POWER_OFF | POWER_ON | RESET] => card.power_up(),
                [GET_ATR] => self.send(&card.atr())?,
                [_] | [] => {}
                command => match card.react(command) {
                    Reaction::Answer { bytes, after } => {
                        std::thread::sleep(after);
                        self.send(&bytes)?;
                    }
                    Reaction::Gone => return Ok(()),
                },
            }
        }
    }

    fn receive(&mut self) -> io::Result<Vec<u8>> {
        let mut length = [0; 2];
        // vpcd sends length and content apart and waits for our acknowledgement in between, which
        // the system delays by 40 ms unless it is told, before every read, that we are in a hurry.
        set_tcp_quickack(&self.stream, true)?;
        self.stream.read_exact(&mut length)?;
        let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
        set_tcp_quickack(&self.stream, true)?;
        self.stream.read_exact(&mut message)?;
        Ok(message)
    }

    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let length = u16::try_from(message.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        let mut bytes = Vec::with_capacity(2 + message.len());
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(message);
        self.stream.write_all(&bytes)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        // The connection would live on in what pulls the card.
        self.stream.shutdown(Shutdown::Both).unwrap_or_default();
    }
}

impl Pull {
    /// Pulls the card out; [`Slot::serve`] returns.
    pub fn out(&self) {
        // One that has been pulled already cannot be shut down again, and need not be.
        self.stream.shutdown(Shutdown::Both).unwrap_or_default();
    }
}

fn has_ended(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, NotConnected, UnexpectedEof};
    matches!(kind, BrokenPipe | ConnectionReset | NotConnected | UnexpectedEof)
}
