//! What Terraform sees.
