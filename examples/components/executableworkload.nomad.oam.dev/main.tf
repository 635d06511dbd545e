# A program that runs once, isolated by Nomad's exec driver.
# Needs: exec
terraform {
  required_providers {
    oam = { source = "oam/oam" }
  }
}

provider "oam" {}

resource "oam_application" "tool" {
  name = "tool"

  component "hello" {
    type    = "executableworkload.nomad.oam.dev"
    command = ["/bin/echo"]
    args    = ["hello from", "$${node.unique.name}"]

    resources {
      cpu    = "50m"
      memory = "32Mi"
    }
  }
}
