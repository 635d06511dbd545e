terraform {
  required_providers {
    oam = { source = "oam/oam" }
  }
}

resource "oam_node_pool_scope" "gpu" {
  name        = "gpu"
  pool_name   = "gpu"
  create      = true
  description = "Nodes with graphics cards."
  datacenter  = ["eu-*"]

  constraint {
    attribute = "meta.rack"
    operator  = "!="
    value     = "r1"
  }
}

resource "oam_application" "training" {
  name   = "training"
  scopes = [oam_node_pool_scope.gpu.id]

  component "fit" {
    type  = "task"
    image = "example/fit:3.1"
  }
}
