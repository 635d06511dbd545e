# A process that writes a log, one before it that makes the file, and one beside it that follows it.
terraform {
  required_providers {
    oam = { source = "oam/oam" }
  }
}

provider "oam" {}

resource "oam_application" "journal" {
  name = "journal"

  component "writer" {
    type    = "worker"
    driver  = "raw_exec"
    command = ["/bin/sh", "-c", "while true; do date >> $NOMAD_ALLOC_DIR/data/log; sleep 5; done"]

    sidecar "prepare" {
      command = ["/bin/sh", "-c", "echo begin > $NOMAD_ALLOC_DIR/data/log"]
      lifecycle {
        hook    = "prestart"
        sidecar = false
      }
    }
    sidecar "ship" {
      command = ["/bin/sh", "-c", "exec tail -f $NOMAD_ALLOC_DIR/data/log"]
      env     = { LEVEL = "info" }
      resources {
        cpu    = "50m"
        memory = "32Mi"
      }
      lifecycle {
        hook = "poststart"
      }
    }
  }
}
