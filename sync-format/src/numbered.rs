//! Closed lists whose members cross a boundary: each has its number on the wire and its code in
//! text files, both written down at the member, so that reordering a list changes nothing.

/// A code that stands in none of the closed lists; the text itself is not repeated, it may be a
/// person's.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("unknown {what} code")]
pub struct UnknownCode {
    /// The list in which the code was sought.
    pub what: &'static str,
}

macro_rules! numbered {
    (
        $(#[$meta:meta])*
        pub enum $name:ident, $what:literal {
            $($(#[$variant_meta:meta])* $variant:ident = $number:literal, $code:literal;)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(u8)]
        pub enum $name {
            $($(#[$variant_meta])* $variant = $number,)+
        }

        impl $name {
            /// Every member, in the order of the numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Returns the number on the wire.
            pub const fn number(self) -> u8 {
                self as u8
            }

            /// Returns the member of this number, or `None` for a number that is not in the list.
            pub const fn from_number(number: u8) -> Option<Self> {
                match number {
                    $($number => Some(Self::$variant),)+
                    _ => None,
                }
            }

            /// Returns the code used in text files and on the command line.
            pub const fn code(self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.code())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::codec::UnknownCode;

            fn from_str(code: &str) -> Result<Self, Self::Err> {
                match code {
                    $($code => Ok(Self::$variant),)+
                    _ => Err($crate::codec::UnknownCode { what: $what }),
                }
            }
        }

        impl bincode::Encode for $name {
            fn encode<E: bincode::enc::Encoder>(
                &self,
                encoder: &mut E,
            ) -> Result<(), bincode::error::EncodeError> {
                self.number().encode(encoder)
            }
        }

        impl<Context> bincode::Decode<Context> for $name {
            fn decode<D: bincode::de::Decoder<Context = Context>>(
                decoder: &mut D,
            ) -> Result<Self, bincode::error::DecodeError> {
                static ALLOWED: bincode::error::AllowedEnumVariants =
                    bincode::error::AllowedEnumVariants::Allowed(&[$($number,)+]);
                let number = u8::decode(decoder)?;
                Self::from_number(number).ok_or(bincode::error::DecodeError::UnexpectedVariant {
                    type_name: $what,
                    allowed: &ALLOWED,
                    found: u32::from(number),
                })
            }
        }

        bincode::impl_borrow_decode!($name);
    };
}
