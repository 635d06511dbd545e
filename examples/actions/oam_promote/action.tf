terraform {
  required_providers {
    oam = { source = "oam/oam" }
  }
}

action "oam_promote" "shop" {
  config {
    name       = "shop"
    tenant     = "acme"
    components = ["web"]
  }
}
