terraform {
  required_providers {
    oam = { source = "oam/oam" }
  }
}

action "oam_rollback" "shop" {
  config {
    name       = "shop"
    tenant     = "acme"
    components = ["web"]
  }
}
