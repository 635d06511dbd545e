//! The Open Application Model.
