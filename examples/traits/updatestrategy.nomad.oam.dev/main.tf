# One instance of a new version beside the old ones first; it is promoted when it is healthy, and taken back when it is not.
terraform {
  required_providers {
    oam = { source = "oam/oam" }
  }
}

provider "oam" {}

resource "oam_application" "rollout" {
  name = "rollout"

  component "worker" {
    type    = "worker"
    driver  = "raw_exec"
    command = ["/bin/sleep", "1000000"]

    scaler {
      replicas = 2
    }
    update_strategy {
      strategy         = "canary"
      canary           = 1
      max_parallel     = 1
      auto_promote     = true
      auto_revert      = true
      health_check     = "task_states"
      min_healthy_time = "2s"
      healthy_deadline = "1m"
    }
  }
}
