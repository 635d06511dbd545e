# A container with a volume that the nodes have under the name "data". It needs Docker.
terraform {
  required_providers {
    oam = { source = "oam/oam" }
  }
}

provider "oam" {}

resource "oam_application" "store" {
  name = "store"

  component "database" {
    type  = "worker"
    image = "postgres:16"
    env   = { PGDATA = "/data/postgres" }

    volume "data" {
      type       = "host"
      source     = "data"
      mount_path = "/data"
    }
    resources {
      cpu    = "1"
      memory = "1Gi"
    }
  }
}
