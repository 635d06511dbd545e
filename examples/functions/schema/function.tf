terraform {
  required_providers {
    oam = { source = "oam/oam" }
  }
}

# For an editor, or for a check outside Terraform.
output "application" {
  value = provider::oam::schema("Application")
}

output "scaler" {
  value = provider::oam::schema("scaler")
}
