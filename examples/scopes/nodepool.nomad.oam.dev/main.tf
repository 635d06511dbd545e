# Components that run on the nodes of one pool and of some datacenters.
terraform {
  required_providers {
    oam = { source = "oam/oam" }
  }
}

provider "oam" {}

resource "oam_application" "pinned" {
  name = "pinned"

  node_pool_scope "home" {
    pool_name  = "default"
    datacenter = ["dc1", "eu-*"]

    constraint {
      attribute = "attr.kernel.name"
      operator  = "!="
      value     = "windows"
    }
  }

  component "worker" {
    type    = "worker"
    driver  = "raw_exec"
    command = ["/bin/sleep", "1000000"]
  }
}
