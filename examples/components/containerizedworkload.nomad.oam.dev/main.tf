# A container that gets two of its variables when it starts, and another container beside it.
# Needs: docker, vault (the field key of the secret secret/data/site/api), consul (the key site/greeting)
terraform {
  required_providers {
    oam = { source = "oam/oam" }
  }
}

provider "oam" {}

resource "oam_application" "site" {
  name = "site"

  component "web" {
    type    = "containerizedworkload.nomad.oam.dev"
    image   = "busybox:1.37"
    command = ["sh", "-c", "echo \"$GREETING\" > /tmp/index.html; exec httpd -f -p 8080 -h /tmp"]

    env_from "GREETING" {
      consul_key {
        key = "site/greeting"
      }
    }
    env_from "API_KEY" {
      vault_secret {
        path  = "secret/data/site/api"
        field = "key"
      }
    }
    port "http" {
      port = 8080
    }
    health_check {
      path = "/"
    }
    resources {
      cpu    = "100m"
      memory = "64Mi"
    }
    container "clock" {
      image   = "busybox:1.37"
      command = ["sh", "-c", "while true; do date; sleep 60; done"]
      resources {
        cpu    = "50m"
        memory = "32Mi"
      }
    }
  }
}
