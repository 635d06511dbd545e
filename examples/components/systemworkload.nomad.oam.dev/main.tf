# A process on each node of some datacenters.
terraform {
  required_providers {
    oam = { source = "oam/oam" }
  }
}

provider "oam" {}

resource "oam_application" "probe" {
  name = "probe"

  component "disk" {
    type            = "systemworkload.nomad.oam.dev"
    target_clusters = ["dc1", "eu-*"]
    driver          = "raw_exec"
    command         = ["/bin/sh", "-c", "while true; do df /; sleep 60; done"]
  }
}
