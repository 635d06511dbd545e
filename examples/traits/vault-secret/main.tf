# A process with a secret in its environment, started again when the secret changes.
# Needs: vault (the fields username and password of the secret secret/data/orders/db)
terraform {
  required_providers {
    oam = { source = "oam/oam" }
  }
}

provider "oam" {}

resource "oam_application" "orders" {
  name = "orders"

  component "worker" {
    type    = "worker"
    driver  = "raw_exec"
    command = ["/bin/sh", "-c", "while true; do echo \"working as $DB_USER\"; sleep 10; done"]

    vault_secret "secret/data/orders/db" {
      env = {
        username = "DB_USER"
        password = "DB_PASSWORD"
      }
    }
  }
}
