terraform {
  required_providers {
    oam = { source = "oam/oam" }
  }
}

data "oam_node_pool_scope" "gpu" {
  name = "gpu"
}

output "applications_in_gpu" {
  value = data.oam_node_pool_scope.gpu.applications
}
