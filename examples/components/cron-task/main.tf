# A process that runs every night.
terraform {
  required_providers {
    oam = { source = "oam/oam" }
  }
}

provider "oam" {}

resource "oam_application" "nightly" {
  name = "nightly"

  component "report" {
    type      = "cron-task"
    driver    = "raw_exec"
    command   = ["/bin/date"]
    schedule  = "0 3 * * *"
    time_zone = "Europe/Copenhagen"
  }
}
