# A service that Traefik routes to, by its tags in the Consul catalog.
terraform {
  required_providers {
    oam = { source = "oam/oam" }
  }
}

provider "oam" {}

resource "oam_application" "api" {
  name = "api"

  component "web" {
    type    = "webservice"
    driver  = "raw_exec"
    command = ["/bin/sh", "-c"]
    args    = ["exec python3 -m http.server $NOMAD_PORT_http --bind 127.0.0.1 --directory $NOMAD_TASK_DIR"]

    port "http" {
      port = 8080
    }
    ingress {
      host         = "api.example.com"
      path_prefix  = "/v1"
      strip_prefix = true
      tls          = true
      middleware   = ["auth@file"]
    }
  }
}
