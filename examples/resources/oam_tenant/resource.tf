terraform {
  required_providers {
    oam = { source = "oam/oam" }
  }
}

resource "oam_tenant" "acme" {
  name         = "acme"
  display_name = "ACME Corp"
  domain       = "acme.example.com"

  # Beyond the OAM vocabulary: no raw_exec, whoever registers a job.
  task_drivers = ["docker", "exec"]

  quotas {
    max_jobs        = 50
    max_cpu_mhz     = 8000
    max_memory_mb   = 16384
    max_deployments = 20
  }
}

resource "oam_application" "report" {
  name   = "report"
  tenant = oam_tenant.acme.name

  component "nightly" {
    type     = "cron-task"
    image    = "example/report:1.0"
    schedule = "0 3 * * *"
  }
}
