# Components from a map, one block for all of them.
terraform {
  required_providers {
    oam = { source = "oam/oam" }
  }
}

provider "oam" {}

variable "jobs" {
  description = "What to run, and when."
  type = map(object({
    schedule = string
    command  = list(string)
  }))
  default = {
    clean = { schedule = "0 4 * * *", command = ["/bin/echo", "cleaned"] }
    count = { schedule = "@hourly", command = ["/bin/date"] }
  }
}

resource "oam_application" "many" {
  name = "many"

  dynamic "component" {
    for_each = var.jobs
    labels   = [component.key]
    content {
      type     = "cron-task"
      driver   = "raw_exec"
      schedule = component.value.schedule
      command  = component.value.command
    }
  }
}
