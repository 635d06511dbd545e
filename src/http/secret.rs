//! Text that must not be shown.

use std::fmt;

/// A token or a private key. Its `Debug` form hides the text, so that no log and no error can leak it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps the secret text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret text itself, for the request header or the TLS stack; never for a message.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// `message` with every occurrence of the secret replaced, for texts that a server sent back.
    pub fn redact(&self, message: &str) -> String {
        if self.0.is_empty() {
            message.to_owned()
        } else {
            message.replace(&self.0, "<redacted>")
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<redacted>")
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_hides_the_text() {
        assert_eq!(
            format!("{:?}", Some(Secret::from("s3cr3t"))),
            "Some(<redacted>)"
        );
    }

    #[test]
    fn redact_replaces_every_occurrence() {
        let secret = Secret::from("s3cr3t");
        assert_eq!(
            secret.redact("token s3cr3t (s3cr3t) unknown"),
            "token <redacted> (<redacted>) unknown"
        );
        assert_eq!(Secret::from("").redact("as it is"), "as it is");
    }
}
