# A process that runs once, to its end.
terraform {
  required_providers {
    oam = { source = "oam/oam" }
  }
}

provider "oam" {}

resource "oam_application" "migration" {
  name = "migration"

  component "migrate" {
    type    = "task"
    driver  = "raw_exec"
    command = ["/bin/echo", "the tables are as they should be"]
  }
}
