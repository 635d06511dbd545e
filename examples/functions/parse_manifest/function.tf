terraform {
  required_providers {
    oam = { source = "oam/oam" }
  }
}

locals {
  application = provider::oam::parse_manifest(file("${path.module}/app.yaml"))
}

output "images" {
  value = { for name, component in local.application.component : name => component.image }
}
