# A process that prefers some nodes, is spread over datacenters, and never runs on Windows.
terraform {
  required_providers {
    oam = { source = "oam/oam" }
  }
}

provider "oam" {}

resource "oam_application" "near" {
  name = "near"

  component "worker" {
    type    = "worker"
    driver  = "raw_exec"
    command = ["/bin/sleep", "1000000"]

    affinity {
      node_class = "large"
      cloud      = "aws"
      region     = "eu-west-1"
      node_meta  = { rack = "r1" }
      weight     = 70
      spread     = "node.datacenter"

      constraint {
        attribute = "attr.kernel.name"
        operator  = "!="
        value     = "windows"
      }
    }
  }
}
