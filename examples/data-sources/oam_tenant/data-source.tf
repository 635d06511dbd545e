terraform {
  required_providers {
    oam = { source = "oam/oam" }
  }
}

data "oam_tenant" "acme" {
  name = "acme"
}

output "applications" {
  value = data.oam_tenant.acme.applications
}
