terraform {
  required_providers {
    oam = { source = "oam/oam" }
  }
}

data "oam_application_revisions" "shop" {
  name   = "shop"
  tenant = "acme"
}

output "applied_at" {
  value = { for it in data.oam_application_revisions.shop.revisions : it.revision => it.applied_at }
}
