terraform {
  required_providers {
    oam = { source = "oam/oam" }
  }
}

resource "oam_network_scope" "mesh" {
  name         = "mesh"
  service_mesh = true
}

resource "oam_application" "shop" {
  name   = "shop"
  scopes = [oam_network_scope.mesh.id]

  component "web" {
    type  = "webservice"
    image = "nginx:1.25"

    port "http" {
      port = 80
    }
  }
}
