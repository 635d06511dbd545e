terraform {
  required_providers {
    oam = { source = "oam/oam" }
  }
}

data "oam_network_scope" "mesh" {
  name = "mesh"
}

output "applications_in_mesh" {
  value = data.oam_network_scope.mesh.applications
}
