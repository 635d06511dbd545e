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
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
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
        for text in ["", "42", "42-", "-1", "x-1", "1-g", "42 - 1"] {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
    }
}
