//! A state that an older provider wrote.
