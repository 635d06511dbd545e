terraform {
  required_providers {
    oam = { source = "oam/oam" }
  }
}

data "oam_application" "shop" {
  name   = "shop"
  tenant = "acme"
}

output "namespace" {
  value = data.oam_application.shop.jobs["web"].namespace
}
