# Two components in Consul's mesh. One calls the other, where an intention in Consul allows it.
# Needs: docker, mesh
terraform {
  required_providers {
    oam = { source = "oam/oam" }
  }
}

provider "oam" {}

resource "oam_application" "chat" {
  name = "chat"

  network_scope "mesh" {
    network_mode = "bridge"
    service_mesh = true
  }

  component "api" {
    type    = "webservice"
    image   = "busybox:1.37"
    command = ["sh", "-c", "echo hello > /tmp/index.html; exec httpd -f -p 8080 -h /tmp"]

    port "http" {
      port = 8080
    }
    health_check {
      path = "/"
    }
  }

  component "front" {
    type    = "worker"
    image   = "busybox:1.37"
    command = ["sh", "-c", "while true; do wget -q -O - http://127.0.0.1:9001/; sleep 10; done"]

    upstream "api" {
      port = 9001
    }
  }
}
