# Two instances that leave a node one after the other when it is drained.
terraform {
  required_providers {
    oam = { source = "oam/oam" }
  }
}

provider "oam" {}

resource "oam_application" "mover" {
  name = "mover"

  component "worker" {
    type    = "worker"
    driver  = "raw_exec"
    command = ["/bin/sleep", "1000000"]

    scaler {
      replicas = 2
    }
    migration {
      max_parallel     = 1
      health_check     = "task_states"
      min_healthy_time = "5s"
      healthy_deadline = "2m"
    }
  }
}
