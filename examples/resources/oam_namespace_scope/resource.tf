terraform {
  required_providers {
    oam = { source = "oam/oam" }
  }
}

resource "oam_namespace_scope" "team" {
  name        = "team"
  namespace   = "team-a"
  create      = true
  description = "What team A runs."
}

resource "oam_application" "report" {
  name   = "report"
  scopes = [oam_namespace_scope.team.id]

  component "nightly" {
    type     = "cron-task"
    image    = "example/report:1.0"
    schedule = "0 3 * * *"
  }
}
