//! Every limit of the format, each with its reason. A limit is checked before memory is taken.

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// Longest encoded root document, bytes: seven full sets of [`MAX_KEYS`] take 14 KiB; a real root has
/// about a dozen keys and takes 500 bytes.
pub const MAX_ROOT_BYTES: usize = 32 * KIB;

/// Longest encoded chain of signed roots, bytes. Chosen: a thousand rotations of real roots.
pub const MAX_ROOT_CHAIN_BYTES: usize = MIB;

/// Longest encoded outer manifest, bytes: [`MAX_CHUNKS`] references of 37 bytes take 592 KiB, and
/// [`MAX_ENVELOPES`] take 148.
pub const MAX_MANIFEST_BYTES: usize = MIB;

/// Longest encoded manifest with its signatures, bytes.
pub const MAX_SIGNED_MANIFEST_BYTES: usize = MAX_MANIFEST_BYTES + 16 * KIB;

/// Longest encoded inner manifest, bytes: [`MAX_CHUNKS`] descriptions of 60 bytes take 960 KiB, and
/// [`MAX_WITHDRAWN`] order numbers of 9 take 879.
pub const MAX_INNER_MANIFEST_BYTES: usize = 2 * MIB;

/// Longest sealed inner manifest, bytes: with the 16-byte tag.
pub const MAX_SEALED_INNER_BYTES: usize = MAX_INNER_MANIFEST_BYTES + 16;

/// Longest encoded envelope, bytes: some 3,500 sealed keys of 1.2 kB (X-Wing: 1,120 bytes of
/// encapsulation, 32 of key, 16 of tag), which is more than one unit has devices.
pub const MAX_ENVELOPE_BYTES: usize = 4 * MIB;

/// Most envelopes of a package. Chosen: ten times the number of border posts and boats there may be.
pub const MAX_ENVELOPES: usize = 4_096;

/// Longest encoded grant, bytes: 101 regions of 37 bytes take 3.7 kB.
pub const MAX_GRANT_BYTES: usize = 8 * KIB;

/// Most notices that a delta withdraws. Chosen: half of the list.
pub const MAX_WITHDRAWN: usize = 100_000;

/// Most notices that one emergency withdrawal names: its QR code must be read from paper.
pub const MAX_EMERGENCY_WITHDRAWN: usize = 64;

/// Longest encoded emergency withdrawal with its signatures, bytes: what one QR code of version 25
/// holds as text, so that a handheld reads it.
pub const MAX_SIGNED_WITHDRAWAL_BYTES: usize = KIB;

/// Longest label of an application update, characters.
pub const MAX_LABEL_CHARS: usize = 40;

/// Longest encoded release with its signatures, bytes.
pub const MAX_SIGNED_RELEASE_BYTES: usize = 4 * KIB;

/// Longest encoded index of a repository, bytes: for each package [`MAX_CHUNKS`] and [`MAX_ENVELOPES`]
/// references, and eight packages.
pub const MAX_INDEX_BYTES: usize = 8 * MIB;

/// Longest signed proof of an installation, bytes; one takes about 150.
pub const MAX_SIGNED_INSTALLED_BYTES: usize = KIB;

/// Most chunks in a package. At [`REGISTER_ROWS_PER_CHUNK`] this is 1.6 billion rows, sixteen times
/// the nation.
pub const MAX_CHUNKS: usize = 16_384;

/// Longest chunk after decompression, bytes. Equal to the largest permitted zstd window
/// ([`ZSTD_WINDOW_LOG`]), so that no honest frame can ask for a larger one; a handheld holds one
/// chunk compressed, raw and decoded at a time, about 30 MB.
pub const MAX_CHUNK_RAW_BYTES: usize = 8 * MIB;

/// Longest chunk as it lies in the package, bytes: what zstd makes of incompressible rows, with
/// room for the 16-byte tag of the sealed form.
pub const MAX_CHUNK_BYTES: usize = MAX_CHUNK_RAW_BYTES + 64 * KIB;

/// Largest window a zstd frame may ask for, log2 of bytes (8 MiB). The library would grant 128 MiB.
pub const ZSTD_WINDOW_LOG: u32 = 23;

/// Compression level of notices. Measured on 200,000 invented ones: against level 3 it saves 6 % and
/// takes 2 to 3 times as long (0.6 s); level 19 saves another 9 % and takes 15 times as long again. It
/// costs the device nothing.
pub const ZSTD_LEVEL: i32 = 9;

/// Compression level of the register, whose tags nothing compresses. Measured on 10,000,000 invented
/// rows: 4.82 bytes a row against 4.79 at level 9, for a fifth of the processor time.
pub const ZSTD_LEVEL_REGISTER: i32 = 1;

/// Register rows a builder puts into one chunk. Measured: 10,000 rows a chunk take 3 % more bytes,
/// and more than this saves 2 % and costs memory on the device.
pub const REGISTER_ROWS_PER_CHUNK: usize = 100_000;

/// Most register rows in one chunk; above [`REGISTER_ROWS_PER_CHUNK`] only so that a builder may
/// even out its last two chunks.
pub const MAX_REGISTER_ROWS: usize = 131_072;

/// Most notices in one chunk: about 3 MB, which a desktop core decodes in 25 ms. Measured: half as
/// many take 3 % more bytes, twice as many 2 % less.
pub const MAX_NOTICES: usize = 20_000;

/// Most anchors in one chunk. The German master list, among the largest that are public, holds some
/// 700 certificates of about 100 states, and each state has a list of revocations.
pub const MAX_ANCHORS: usize = 2_000;

/// Most chunks of anchors in a package: 64 MiB at [`MAX_CHUNK_RAW_BYTES`], since a device holds all
/// anchors in memory while it proves a chip. Those of the whole world take about 2 MB.
pub const MAX_ANCHOR_CHUNKS: usize = 8;

/// Longest certificate of an authority, bytes. One with a 4,096-bit RSA key or with explicit curve
/// parameters takes about 2 kB; chosen four times as long.
pub const MAX_CERTIFICATE_BYTES: usize = 8 * KIB;

/// Longest list of revoked certificates, bytes: some 6,000 entries of 40 bytes. A state has a few
/// hundred document signers in all, and most have never revoked one. Chosen.
pub const MAX_REVOCATION_LIST_BYTES: usize = 256 * KIB;

/// Longest name or alias, characters. The longest names in use have about 40.
pub const MAX_NAME_CHARS: usize = 80;

/// Most aliases of one notice. Chosen: more would make a notice match half a village.
pub const MAX_ALIASES: usize = 8;

/// Most document numbers of one notice: personal number, old number, cancelled numbers, passports.
pub const MAX_NUMBERS: usize = 16;

/// Longest list of charge articles, characters: twenty articles with separators.
pub const MAX_CODE_CHARS: usize = 80;

/// Longest decision number, characters.
pub const MAX_DECISION_CHARS: usize = 80;

/// Longest name of an issuing body, characters.
pub const MAX_ISSUER_CHARS: usize = 120;

/// Longest contact line, characters.
pub const MAX_CONTACT_CHARS: usize = 120;

/// Longest description of identifying marks, characters: the only free text about a person, and
/// short enough that nothing but marks fits.
pub const MAX_MARKS_CHARS: usize = 120;

/// Largest photo, bytes: a JPEG of about 200 by 250 pixels, enough to compare a face.
pub const MAX_PHOTO_BYTES: usize = 8 * KIB;

/// Most keys of one key set.
pub const MAX_KEYS: usize = 64;

/// Most notices that one record of a check names. A number rarely has two.
pub const MAX_NOTICES_IN_RECORD: usize = 16;

/// Longest encoded header of a record, bytes; a real one takes about 150.
pub const MAX_RECORD_HEADER_BYTES: usize = KIB;

/// Longest padded body of a record, bytes, and the last of the padding steps.
pub const MAX_BODY_BYTES: usize = 16 * KIB;

/// Shortest padded body of a record, bytes: every check without a person in it fits, so that its
/// size tells nothing.
pub const MIN_BODY_BYTES: usize = 256;

/// Longest encoded record, bytes: header, signature, encapsulated key, padded body and tag.
pub const MAX_RECORD_BYTES: usize = 20 * KIB;
