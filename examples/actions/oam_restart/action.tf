terraform {
  required_providers {
    oam = { source = "oam/oam" }
  }
}

action "oam_restart" "shop" {
  config {
    name   = "shop"
    tenant = "acme"
  }
}
