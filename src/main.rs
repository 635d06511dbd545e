//! Starts the provider, as Terraform does.

#![forbid(unsafe_code)]

fn main() {}
