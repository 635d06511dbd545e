# Two instances, and up to five where a Nomad autoscaler runs.
terraform {
  required_providers {
    oam = { source = "oam/oam" }
  }
}

provider "oam" {}

resource "oam_application" "pool" {
  name = "pool"

  component "worker" {
    type    = "worker"
    driver  = "raw_exec"
    command = ["/bin/sleep", "1000000"]

    resources {
      cpu    = "50m"
      memory = "32Mi"
    }
    scaler {
      replicas = 2
      min      = 1
      max      = 5
      metric   = "cpu"
      target   = 70
    }
  }
}
