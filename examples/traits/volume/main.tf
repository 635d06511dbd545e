# A container with a volume that the nodes have under the name "data".
# Needs: docker, volume (the host volume data)
terraform {
  required_providers {
    oam = { source = "oam/oam" }
  }
}

provider "oam" {}

resource "oam_application" "store" {
  name = "store"

  component "journal" {
    type    = "worker"
    image   = "busybox:1.37"
    command = ["sh", "-c", "while true; do date >> /data/journal; sleep 10; done"]

    volume "data" {
      type       = "host"
      source     = "data"
      mount_path = "/data"
    }
    resources {
      cpu    = "50m"
      memory = "32Mi"
    }
  }
}
