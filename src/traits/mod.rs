//! One file per trait.
