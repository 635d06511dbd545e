terraform {
  required_providers {
    oam = { source = "oam/oam" }
  }
}

data "oam_namespace_scope" "team" {
  name = "team"
}

output "applications_in_team" {
  value = data.oam_namespace_scope.team.applications
}
