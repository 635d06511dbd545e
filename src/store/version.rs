//! Which state of a record it is.

use std::fmt;
use std::str::FromStr;

/// One state of a record: an opaque text for whoever keeps it from plan to apply.
///
/// It is Consul's ModifyIndex and a digest of the value. The index alone does not do: it also
/// changes when the lock of a crashed apply expires, which changes nothing that matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    pub(super) index: u64,
    pub(super) digest: u64,
}

impl Version {
    pub(super) fn of(index: u64, value: &[u8]) -> Self {
        Self {
            index,
            digest: fnv1a(value),
        }
    }
}

impl Version {
    /// Whether the two are of the same value, whatever became of a lock in between.
    pub fn is_same(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:016x}", self.index, self.digest)
    }
}

impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = || {
            let (index, digest) = text.split_once('-')?;
            Some(Self {
                index: index.parse().ok()?,
                digest: u64::from_str_radix(digest, 16).ok()?,
            })
        };
        read().ok_or_else(|| format!("\"{text}\" is no version of a record"))
    }
}

/// FNV-1a, 64 bits. It tells apart two states that the provider or an operator wrote; it need not
/// withstand anybody, since whoever may write the record may also write the jobs.
fn fnv1a(bytes: &[u8]) -> u64 {
    fnv1a_from(0xcbf2_9ce4_8422_2325, bytes)
}

fn fnv1a_from(start: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(start, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// A digest of several parts, with the same promise as that of a [`Version`].
#[derive(Debug, Clone)]
pub struct Digest(u64);

impl Default for Digest {
    fn default() -> Self {
        Self(fnv1a(b""))
    }
}

impl Digest {
    /// Adds a part. Two parts are another thing than one of both.
    pub fn add(&mut self, part: &[u8]) {
        self.0 = fnv1a_from(self.0, part);
        self.0 = fnv1a_from(self.0, &part.len().to_le_bytes());
    }

    /// The digest of the parts so far.
    pub fn value(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn versions() {
        let version = Version::of(42, b"value");
        assert_eq!(version.to_string().parse(), Ok(version));
        assert_eq!(version, Version::of(42, b"value"));
        assert_ne!(version.digest, Version::of(42, b"Value").digest);
        // The test vectors of the FNV reference: the empty text and "foobar".
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
        let of = |parts: &[&str]| {
            let mut digest = Digest::default();
            parts.iter().for_each(|part| digest.add(part.as_bytes()));
            digest.value()
        };
        let all = [&["ab"][..], &["a", "b"], &["b", "a"], &["ab", ""], &[]].map(of);
        assert!(
            all.iter()
                .enumerate()
                .all(|(i, one)| !all[..i].contains(one)),
            "{all:?}"
        );
        for text in ["", "42", "42-", "-1", "x-1", "1-g", "42 - 1"] {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
    }
}
