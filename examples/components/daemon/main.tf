# A process on each node of the cluster.
terraform {
  required_providers {
    oam = { source = "oam/oam" }
  }
}

provider "oam" {}

resource "oam_application" "monitor" {
  name = "monitor"

  component "agent" {
    type    = "daemon"
    driver  = "raw_exec"
    command = ["/bin/sh", "-c", "while true; do uptime; sleep 60; done"]
  }
}
