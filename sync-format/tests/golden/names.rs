//! The name of each variant; a new variant does not compile until it is listed here.

use super::*;

macro_rules! variants {
    ($($function:ident, $error:ident, $list:ident: $($variant:ident)+;)+) => {
        $(
            pub fn $function(error: &$error) -> &'static str {
                match error {
                    $($error::$variant { .. } => stringify!($variant),)+
                }
            }
            const $list: &[&str] = &[$(stringify!($variant),)+];
        )+
    };
}

variants! {
    decode_error, DecodeError, DECODE: TooLong Truncated WrongVersion WrongKind LimitExceeded
        UnknownNumber Impossible NotText TooWide Trailing NotCanonical;
    chunk_error, ChunkError, CHUNK: Decode Encode RowCount ColumnLength TextCut NotAscending
        NumberRange UnusedBits AnchorLength Notice;
    notice_error, NoticeError, NOTICE: NoOrderNumber MissingBasis UnknownGround UnlawfulGround
        Validity Action NothingToRecognise DescribesOwner Text TooLong NumberShape NumberTwice;
    package_error, PackageError, PACKAGE: Decode Encode Threshold KeyTwice RoleTwice
        AuthorApproves RootVersion BaseNotBefore NoDeltas Times Freshness ChunkCount PartLength Envelopes
        Runs Recipients GrantKeys Withdrawn OtherPackage ChunksDiffer KeyRange ChunkRows RowSum
        Regions TagKey Counts;
    message_error, MessageError, MESSAGE: Notices Release Entries;
    layout_error, LayoutError, LAYOUT: Io NotAPackage SectionLength Truncated Trailing
        ChunkLength ChunkHash NotCompressed Bomb RawLength;
    body_error, BodyError, BODY: Length TooLong Padding Decode PersonNotConfirmed Notices;
}

pub const ALL: &[(&str, &[&str])] = &[
    ("decode-error", DECODE),
    ("chunk-error", CHUNK),
    ("notice-error", NOTICE),
    ("package-error", PACKAGE),
    ("message-error", MESSAGE),
    ("layout-error", LAYOUT),
    ("body-error", BODY),
];
