terraform {
  required_providers {
    oam = { source = "oam/oam" }
  }
}

# All of one tenant; without a tenant, all there are.
data "oam_applications" "acme" {
  tenant = "acme"
}

output "unfinished" {
  value = [for one in data.oam_applications.acme.applications : one.id if one.status != "settled"]
}
