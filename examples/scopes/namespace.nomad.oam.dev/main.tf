# An application whose jobs are in a Nomad namespace of their own.
# Needs: namespace (team-a in Nomad)
terraform {
  required_providers {
    oam = { source = "oam/oam" }
  }
}

provider "oam" {}

resource "oam_application" "team" {
  name = "team"

  namespace_scope "team" {
    namespace = "team-a"
  }

  component "worker" {
    type    = "worker"
    driver  = "raw_exec"
    command = ["/bin/sleep", "1000000"]
  }
}
