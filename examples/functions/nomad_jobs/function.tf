terraform {
  required_providers {
    oam = { source = "oam/oam" }
  }
}

locals {
  jobs = provider::oam::nomad_jobs(file("${path.module}/app.yaml"))
}

# What the component "web" becomes, as Nomad's JSON API takes it.
output "web" {
  value = jsonencode({ Job = local.jobs.web })
}
