# A virtual machine from a disk image that is on the nodes, with a port of its own passed on to it.
# Needs: qemu (and the image on the nodes)
terraform {
  required_providers {
    oam = { source = "oam/oam" }
  }
}

provider "oam" {}

resource "oam_application" "guest" {
  name = "guest"

  component "vm" {
    type  = "vmworkload.nomad.oam.dev"
    image = "/srv/images/linux.img"
    args  = ["-nographic"]

    port "ssh" {
      port = 22
    }
    resources {
      cpu    = "1"
      memory = "1Gi"
    }
  }
}
