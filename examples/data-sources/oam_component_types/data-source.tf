terraform {
  required_providers {
    oam = { source = "oam/oam" }
  }
}

data "oam_component_types" "all" {}

output "services" {
  value = [
    for one in data.oam_component_types.all.component_types : one.name
    if one.nomad_job_type == "service"
  ]
}
