//! The bytes of a package file: magic, four lengths, four sections, chunks back to back.
//!
//! Reading is by steps, so that nothing unsigned reaches a decoder: [`read_sections`] gives the
//! parts that carry signatures, and only when those have been verified does [`read_chunk`] give a
//! chunk, whose hash it compares before it returns it, and [`decompress`] its rows. Works over any
//! `Read`; files are the caller's.

use std::fmt;
use std::io::{self, Read, Write};

use super::{PartRef, sha256};
use crate::codec::Kind;
use crate::limits;

/// First bytes of a package file. The line ends show whether a transfer took it for text.
pub const MAGIC: &[u8; 8] = b"FCSNAP\r\n";

/// Length of magic and lengths, bytes.
pub const HEADER_BYTES: usize = 8 + 4 * 4;

/// The parts before the chunks, encoded and not yet verified.
#[derive(Clone, PartialEq, Eq)]
pub struct Sections {
    /// Encoded [`super::RootChain`].
    pub root_chain: Vec<u8>,
    /// Encoded [`super::SignedManifest`].
    pub manifest: Vec<u8>,
    /// Encoded [`super::Envelope`] of one unit.
    pub envelope: Vec<u8>,
    /// Encoded and sealed [`super::InnerManifest`].
    pub inner: Vec<u8>,
}

/// Shows lengths alone, which are what there is to see.
impl fmt::Debug for Sections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Sections { root_chain, manifest, envelope, inner } = self;
        let lengths = [root_chain, manifest, envelope, inner].map(Vec::len);
        f.debug_tuple("Sections").field(&lengths).finish()
    }
}

/// Why bytes are not a package, or a chunk not what the manifest promised.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    /// The source or the target broke.
    #[error("the package cannot be read or written")]
    Io(#[from] io::Error),
    /// Another kind of file, or one that a transfer has taken for text.
    #[error("not a snapshot package")]
    NotAPackage,
    /// A section of length 0 or above its limit; nothing was read of it.
    #[error("section {section} has {len} bytes, at most {limit}")]
    SectionLength {
        /// `root-chain`, `manifest`, `envelope` or `inner`.
        section: &'static str,
        /// The length.
        len: usize,
        /// The limit.
        limit: usize,
    },
    /// The file ends inside a part.
    #[error("the package ends early")]
    Truncated,
    /// Bytes after the last chunk.
    #[error("there are bytes after the last chunk")]
    Trailing,
    /// A chunk of length 0 or above its limit; nothing was read of it.
    #[error("a chunk of {len} bytes, at most {limit}")]
    ChunkLength {
        /// The length.
        len: usize,
        /// The limit.
        limit: usize,
    },
    /// A chunk is not the one of the manifest.
    #[error("a chunk has another hash than the manifest says")]
    ChunkHash,
    /// Not one whole zstd frame with a window that is permitted.
    #[error("a chunk cannot be decompressed")]
    NotCompressed,
    /// Decompresses to more than promised; what is more was not kept.
    #[error("a chunk decompresses to more than the {raw_len} bytes promised")]
    Bomb {
        /// The promise.
        raw_len: usize,
    },
    /// Decompresses to less than promised.
    #[error("a chunk decompresses to {found} bytes instead of {raw_len}")]
    RawLength {
        /// The promise.
        raw_len: usize,
        /// What came.
        found: usize,
    },
}

/// Names and limits of the sections, in their order.
const SECTIONS: [(&str, usize); 4] = [
    ("root-chain", limits::MAX_ROOT_CHAIN_BYTES),
    ("manifest", limits::MAX_SIGNED_MANIFEST_BYTES),
    ("envelope", limits::MAX_ENVELOPE_BYTES),
    ("inner", limits::MAX_SEALED_INNER_BYTES),
];

/// Reads the parts before the chunks and leaves the reader at the first chunk.
///
/// # Errors
///
/// [`LayoutError::NotAPackage`], [`LayoutError::SectionLength`] before anything is allocated, and
/// [`LayoutError::Truncated`].
pub fn read_sections<R: Read>(reader: &mut R) -> Result<Sections, LayoutError> {
    let mut magic = [0; 8];
    // A shorter file is not a package either.
    reader.read_exact(&mut magic).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => LayoutError::NotAPackage,
        _ => LayoutError::Io(error),
    })?;
    if &magic != MAGIC {
        return Err(LayoutError::NotAPackage);
    }
    let mut lengths = [0; 4];
    for (length, section) in lengths.iter_mut().zip(SECTIONS) {
        let mut bytes = [0; 4];
        reader.read_exact(&mut bytes).map_err(truncated)?;
        *length = section_length(section, u32::from_le_bytes(bytes) as usize)?;
    }
    let [root_chain, manifest, envelope, inner] = lengths;
    Ok(Sections {
        root_chain: read_part(reader, root_chain)?,
        manifest: read_part(reader, manifest)?,
        envelope: read_part(reader, envelope)?,
        inner: read_part(reader, inner)?,
    })
}

/// Writes the parts before the chunks; the chunks follow in the order of the manifest.
///
/// # Errors
///
/// [`LayoutError::SectionLength`] for a section that nobody would read, and what the target says.
pub fn write_sections<W: Write>(writer: &mut W, sections: &Sections) -> Result<(), LayoutError> {
    let Sections { root_chain, manifest, envelope, inner } = sections;
    let parts = [root_chain, manifest, envelope, inner];
    let mut header = MAGIC.to_vec();
    for (part, section) in parts.into_iter().zip(SECTIONS) {
        let len = section_length(section, part.len())?;
        header.extend_from_slice(&(len as u32).to_le_bytes());
    }
    writer.write_all(&header)?;
    for part in parts {
        writer.write_all(part)?;
    }
    Ok(())
}

/// Reads the next chunk, and returns it when it is the one that the manifest lists.
///
/// # Errors
///
/// [`LayoutError::ChunkLength`] before anything is allocated, [`LayoutError::Truncated`] and
/// [`LayoutError::ChunkHash`].
pub fn read_chunk<R: Read>(reader: &mut R, chunk: &PartRef) -> Result<Vec<u8>, LayoutError> {
    let (len, limit) = (chunk.len as usize, limits::MAX_CHUNK_BYTES);
    if !(1..=limit).contains(&len) {
        return Err(LayoutError::ChunkLength { len, limit });
    }
    let bytes = read_part(reader, len)?;
    if sha256(&bytes) != chunk.hash {
        return Err(LayoutError::ChunkHash);
    }
    Ok(bytes)
}

/// Says whether the package ends here, as it must after its last chunk.
///
/// # Errors
///
/// [`LayoutError::Trailing`].
pub fn expect_end<R: Read>(reader: &mut R) -> Result<(), LayoutError> {
    match io::copy(&mut reader.take(1), &mut io::sink())? {
        0 => Ok(()),
        _ => Err(LayoutError::Trailing),
    }
}

/// Returns the chunk compressed: one zstd frame, without a checksum, since the manifest has a hash.
///
/// # Errors
///
/// [`LayoutError::ChunkLength`] for rows that nobody would decompress.
pub fn compress(raw: &[u8]) -> Result<Vec<u8>, LayoutError> {
    let (len, limit) = (raw.len(), limits::MAX_CHUNK_RAW_BYTES);
    if !(1..=limit).contains(&len) {
        return Err(LayoutError::ChunkLength { len, limit });
    }
    // The second byte of an encoded value says what it is.
    let is_register = raw.get(1) == Some(&Kind::RegisterChunk.number());
    let level = if is_register { limits::ZSTD_LEVEL_REGISTER } else { limits::ZSTD_LEVEL };
    Ok(zstd::bulk::compress(raw, level)?)
}

/// Returns the `raw_len` bytes that the chunk decompresses to.
///
/// # Errors
///
/// [`LayoutError::ChunkLength`] for a promise above the limit, [`LayoutError::Bomb`] and
/// [`LayoutError::RawLength`] for one that is not kept, [`LayoutError::NotCompressed`] for anything
/// but one whole frame. Memory taken is bounded by `raw_len` and the permitted window.
pub fn decompress(bytes: &[u8], raw_len: usize) -> Result<Vec<u8>, LayoutError> {
    let limit = limits::MAX_CHUNK_RAW_BYTES;
    if !(1..=limit).contains(&raw_len) {
        return Err(LayoutError::ChunkLength { len: raw_len, limit });
    }
    let damaged = |_| LayoutError::NotCompressed;
    let mut decoder =
        zstd::stream::read::Decoder::with_buffer(bytes).map_err(damaged)?.single_frame();
    decoder.window_log_max(limits::ZSTD_WINDOW_LOG).map_err(damaged)?;
    let mut raw = Vec::with_capacity(raw_len);
    // One byte more than promised, to see a frame that has more.
    let found = decoder.by_ref().take(raw_len as u64 + 1).read_to_end(&mut raw).map_err(damaged)?;
    if found > raw_len {
        return Err(LayoutError::Bomb { raw_len });
    }
    if found < raw_len {
        return Err(LayoutError::RawLength { raw_len, found });
    }
    match decoder.finish() {
        [] => Ok(raw),
        _ => Err(LayoutError::NotCompressed),
    }
}

fn section_length(section: (&'static str, usize), len: usize) -> Result<usize, LayoutError> {
    let (section, limit) = section;
    if !(1..=limit).contains(&len) {
        return Err(LayoutError::SectionLength { section, len, limit });
    }
    Ok(len)
}

fn read_part<R: Read>(reader: &mut R, len: usize) -> Result<Vec<u8>, LayoutError> {
    let mut bytes = vec![0; len];
    reader.read_exact(&mut bytes).map_err(truncated)?;
    Ok(bytes)
}

fn truncated(error: io::Error) -> LayoutError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => LayoutError::Truncated,
        _ => LayoutError::Io(error),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn some_sections() -> Sections {
        Sections {
            root_chain: vec![1; 300],
            manifest: vec![2; 40],
            envelope: vec![3; 50],
            inner: vec![4; 60],
        }
    }

    fn a_package() -> Vec<u8> {
        let mut bytes = Vec::new();
        write_sections(&mut bytes, &some_sections()).unwrap();
        bytes
    }

    #[test]
    fn sections_come_back_and_leave_the_reader_at_the_chunks() {
        let bytes = [a_package(), b"chunk".to_vec()].concat();
        assert_eq!(&bytes[..8], b"FCSNAP\r\n");
        assert_eq!(&bytes[8..24], [300u32, 40, 50, 60].map(u32::to_le_bytes).concat());
        let mut reader = &bytes[..];
        assert_eq!(read_sections(&mut reader).unwrap(), some_sections());
        assert_eq!(reader, b"chunk");
    }

    #[test]
    fn lengths_are_judged_before_anything_is_read() {
        // The bytes end after the length: reading would give "truncated".
        let check = |lengths: &[u32], name: &str, length: usize| {
            let bytes = lengths.iter().fold(MAGIC.to_vec(), |mut bytes, length| {
                bytes.extend_from_slice(&length.to_le_bytes());
                bytes
            });
            match read_sections(&mut &bytes[..]) {
                Err(LayoutError::SectionLength { section, len, .. }) => {
                    assert_eq!((section, len), (name, length));
                }
                other => panic!("{other:?}"),
            }
        };
        check(&[0], "root-chain", 0);
        check(&[u32::MAX], "root-chain", u32::MAX as usize);
        check(&[1, 1 << 30], "manifest", 1 << 30);
        check(&[1, 1, (4 << 20) + 1], "envelope", (4 << 20) + 1);
        check(&[1, 1, 1, (2 << 20) + 17], "inner", (2 << 20) + 17);
        let sections = Sections { envelope: vec![], ..some_sections() };
        let refused = write_sections(&mut Vec::new(), &sections);
        assert!(matches!(refused, Err(LayoutError::SectionLength { section: "envelope", .. })));
    }

    #[test]
    fn every_cut_is_noticed() {
        let bytes = a_package();
        for len in 0..bytes.len() {
            let error = read_sections(&mut &bytes[..len]).unwrap_err();
            match len {
                ..8 => assert!(matches!(error, LayoutError::NotAPackage), "{len}: {error}"),
                _ => assert!(matches!(error, LayoutError::Truncated), "{len}: {error}"),
            }
        }
    }

    #[test]
    fn a_package_taken_for_text_is_none() {
        let text = a_package().into_iter().filter(|byte| *byte != b'\r').collect::<Vec<_>>();
        assert!(matches!(read_sections(&mut &text[..]), Err(LayoutError::NotAPackage)));
    }

    #[test]
    fn a_chunk_is_the_one_of_the_manifest() {
        let chunk = PartRef { hash: sha256(b"chunk"), len: 5 };
        assert_eq!(read_chunk(&mut &b"chunk"[..], &chunk).unwrap(), b"chunk");
        assert!(matches!(read_chunk(&mut &b"chunK"[..], &chunk), Err(LayoutError::ChunkHash)));
        assert!(matches!(read_chunk(&mut &b"chun"[..], &chunk), Err(LayoutError::Truncated)));
        for len in [0, u32::MAX] {
            let chunk = PartRef { len, ..chunk };
            let refused = read_chunk(&mut &b"chunk"[..], &chunk);
            assert!(matches!(refused, Err(LayoutError::ChunkLength { .. })), "{len}");
        }
    }

    #[test]
    fn a_package_ends_after_its_last_chunk() {
        assert!(expect_end(&mut &b""[..]).is_ok());
        assert!(matches!(expect_end(&mut &b"x"[..]), Err(LayoutError::Trailing)));
    }

    #[test]
    fn a_chunk_decompresses_to_what_was_promised_and_no_more() {
        let raw = vec![b'a'; 5_000_000];
        let bytes = compress(&raw).unwrap();
        assert!(bytes.len() < 1_000);
        assert_eq!(decompress(&bytes, raw.len()).unwrap(), raw);
        let bomb = decompress(&bytes, 1_000);
        assert!(matches!(bomb, Err(LayoutError::Bomb { raw_len: 1_000 })), "{bomb:?}");
        let short = decompress(&bytes, raw.len() + 1);
        assert!(matches!(short, Err(LayoutError::RawLength { found: 5_000_000, .. })));
        for raw_len in [0, limits::MAX_CHUNK_RAW_BYTES + 1, usize::MAX] {
            let refused = decompress(&bytes, raw_len);
            assert!(matches!(refused, Err(LayoutError::ChunkLength { .. })), "{raw_len}");
        }
    }

    #[test]
    fn only_one_whole_frame_is_a_chunk() {
        let frame = compress(b"rows").unwrap();
        let check = |bytes: &[u8]| {
            let refused = decompress(bytes, 4);
            assert!(matches!(refused, Err(LayoutError::NotCompressed)), "{refused:?}");
        };
        (0..frame.len()).for_each(|len| check(&frame[..len]));
        check(b"rows");
        check(&[&frame[..], b"x"].concat());
        check(&[&frame[..], &frame].concat());
    }

    #[test]
    fn a_window_beyond_the_permitted_is_refused() {
        use std::io::Write;
        let raw = vec![b'a'; 100_000];
        let with_window = |log| {
            let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
            encoder.window_log(log).unwrap();
            // Without a known size the frame states its window.
            encoder.write_all(&raw[..50_000]).unwrap();
            encoder.flush().unwrap();
            encoder.write_all(&raw[50_000..]).unwrap();
            encoder.finish().unwrap()
        };
        assert_eq!(decompress(&with_window(23), raw.len()).unwrap(), raw);
        let refused = decompress(&with_window(24), raw.len());
        assert!(matches!(refused, Err(LayoutError::NotCompressed)), "{refused:?}");
    }

    #[test]
    fn the_largest_chunk_fits_even_when_nothing_can_be_gained() {
        let mut state = 1u32;
        let raw: Vec<u8> = (0..limits::MAX_CHUNK_RAW_BYTES)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 17;
                state ^= state << 5;
                state as u8
            })
            .collect();
        let bytes = compress(&raw).unwrap();
        assert!(bytes.len() + 16 <= limits::MAX_CHUNK_BYTES, "{}", bytes.len());
        assert!(decompress(&bytes, raw.len()).unwrap() == raw);
        let refused = compress(&[&raw[..], &[0]].concat());
        assert!(matches!(refused, Err(LayoutError::ChunkLength { .. })));
    }

    #[test]
    fn a_source_that_breaks_is_not_a_package_that_is_bad() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("gone"))
            }
        }
        let chunk = PartRef { hash: [0; 32], len: 5 };
        assert!(matches!(read_sections(&mut Broken), Err(LayoutError::Io(_))));
        assert!(matches!(read_chunk(&mut Broken, &chunk), Err(LayoutError::Io(_))));
        assert!(matches!(expect_end(&mut Broken), Err(LayoutError::Io(_))));
        let mut cut_off = MAGIC.chain(Broken);
        assert!(matches!(read_sections(&mut cut_off), Err(LayoutError::Io(_))));
    }

    proptest! {
        #[test]
        fn random_bytes_are_refused_and_nothing_worse(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(read_sections(&mut &bytes[..]).is_err());
            let _ = read_sections(&mut MAGIC.chain(&bytes[..]));
            let _ = decompress(&bytes, 1_000);
            // After a true beginning, so that zstd gets further.
            let mut frame = compress(&[7; 1_000]).unwrap();
            frame.truncate(6);
            frame.extend_from_slice(&bytes);
            let _ = decompress(&frame, 1_000);
        }

        #[test]
        fn chunks_come_back(raw in prop::collection::vec(any::<u8>(), 1..3_000)) {
            prop_assert_eq!(decompress(&compress(&raw).unwrap(), raw.len()).unwrap(), raw);
        }
    }
}
