# A process that runs all the time and serves nothing, restarted at most twice in ten minutes.
terraform {
  required_providers {
    oam = { source = "oam/oam" }
  }
}

provider "oam" {}

resource "oam_application" "queue" {
  name = "queue"

  component "worker" {
    type    = "worker"
    driver  = "raw_exec"
    command = ["/bin/sh", "-c", "while true; do echo \"$GREETING\"; sleep 10; done"]
    env     = { GREETING = "nothing to do" }

    restart_policy {
      attempts = 2
      interval = "10m"
      delay    = "15s"
      mode     = "fail"
    }
  }
}
