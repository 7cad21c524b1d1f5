//! The format of fuzz inputs: the fields of a case, one after another. Small changes to the bytes
//! are small changes to the case, and a case can be written as an input ([`Put`]) as well as read
//! from one ([`Arbitrary`]).

use arbitrary::{Arbitrary, Result, Unstructured};

/// Writes what `Arbitrary` reads. A field without a terminator must come last.
pub(crate) trait Put {
    fn put(&self, input: &mut Vec<u8>);

    fn to_input(&self) -> Vec<u8> {
        let mut input = Vec::new();
        self.put(&mut input);
        input
    }
}

/// Declares a struct that is read and written field by field.
macro_rules! case {
    (
        $(#[$meta:meta])*
        struct $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        pub(crate) struct $name {
            $($(#[$field_meta])* pub(crate) $field: $type,)*
        }

        impl<'a> arbitrary::Arbitrary<'a> for $name {
            fn arbitrary(u: &mut arbitrary::Unstructured<'a>) -> arbitrary::Result<Self> {
                Ok(Self { $($field: arbitrary::Arbitrary::arbitrary(u)?,)* })
            }
        }

        impl $crate::bodies::input::Put for $name {
            fn put(&self, input: &mut Vec<u8>) {
                $($crate::bodies::input::Put::put(&self.$field, input);)*
            }
        }
    };
}

pub(crate) use case;

/// Bytes up to an 0xFF, which does not occur in UTF-8.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Bytes(pub(crate) Vec<u8>);

/// Text up to an 0xFF; invalid UTF-8 becomes U+FFFD.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Text(pub(crate) String);

/// All remaining bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Rest(pub(crate) Vec<u8>);

/// As many elements as the remaining bytes contain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct List<T>(pub(crate) Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'a> Arbitrary<'a> for Bytes {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let rest = u.peek_bytes(u.len()).unwrap_or_default();
        let end = rest.iter().position(|&byte| byte == END);
        let bytes = u.bytes(end.unwrap_or(rest.len()))?.to_vec();
        if end.is_some() {
            u.bytes(1)?;
        }
        Ok(Self(bytes))
    }
}

impl<'a> Arbitrary<'a> for Text {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let Bytes(bytes) = u.arbitrary()?;
        Ok(Self(String::from_utf8_lossy(&bytes).into_owned()))
    }
}

impl<'a> Arbitrary<'a> for Rest {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(Self(u.bytes(u.len())?.to_vec()))
    }
}

impl<'a, T: Arbitrary<'a>> Arbitrary<'a> for List<T> {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let mut list = Vec::new();
        while !u.is_empty() {
            list.push(u.arbitrary()?);
        }
        Ok(Self(list))
    }
}

const END: u8 = 0xFF;

impl Put for Bytes {
    fn put(&self, input: &mut Vec<u8>) {
        assert!(!self.0.contains(&END), "no bytes with an 0xFF");
        input.extend_from_slice(&self.0);
        input.push(END);
    }
}

impl Put for Text {
    fn put(&self, input: &mut Vec<u8>) {
        input.extend_from_slice(self.0.as_bytes());
        input.push(END);
    }
}

impl Put for Rest {
    fn put(&self, input: &mut Vec<u8>) {
        input.extend_from_slice(&self.0);
    }
}

impl<T: Put> Put for List<T> {
    fn put(&self, input: &mut Vec<u8>) {
        for item in &self.0 {
            item.put(input);
        }
    }
}

impl<const N: usize> Put for [u8; N] {
    fn put(&self, input: &mut Vec<u8>) {
        input.extend_from_slice(self);
    }
}

macro_rules! put_number {
    ($($type:ty)*) => {
        $(impl Put for $type {
            fn put(&self, input: &mut Vec<u8>) {
                input.extend_from_slice(&self.to_le_bytes());
            }
        })*
    };
}

put_number!(u8 u16 u64);

/// A size up to 8,191, usually a small one.
pub(crate) fn size(number: u16) -> usize {
    let shift = [0, 3, 5, 7, 9, 10, 11, 12][usize::from(number >> 13)];
    usize::from((number & 0x1FFF) >> shift)
}

/// Chunk sizes, which are used in turn: small ones, some larger than any block, and an unlimited
/// one.
pub(crate) fn sizes(bytes: &[u8]) -> Vec<usize> {
    let size = |&byte| match byte {
        0..=130 => usize::from(byte),
        131..=254 => (usize::from(byte) - 128) * 64,
        255 => usize::MAX,
    };
    bytes.iter().map(size).collect()
}
