# Components from a map, one block for all of them. The labels of blocks have to be known when the
# configuration is validated, so the map is a local value and not a variable.
terraform {
  required_providers {
    oam = { source = "oam/oam" }
  }
}

provider "oam" {}

locals {
  jobs = {
    clean = { schedule = "0 4 * * *", command = ["/bin/echo", "cleaned"] }
    count = { schedule = "@hourly", command = ["/bin/date"] }
  }
}

resource "oam_application" "many" {
  name = "many"

  dynamic "component" {
    for_each = local.jobs
    labels   = [component.key]
    content {
      type     = "cron-task"
      driver   = "raw_exec"
      schedule = component.value.schedule
      command  = component.value.command
    }
  }
}
