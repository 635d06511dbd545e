# A container that runs once, in three instances, each of which knows its number.
# Needs: docker
terraform {
  required_providers {
    oam = { source = "oam/oam" }
  }
}

provider "oam" {}

resource "oam_application" "import" {
  name = "import"

  component "part" {
    type    = "batchworkload.nomad.oam.dev"
    image   = "busybox:1.37"
    command = ["echo", "part", "$${NOMAD_ALLOC_INDEX}"]

    scaler {
      replicas = 3
    }
    restart_policy {
      attempts = 0
    }
  }
}
