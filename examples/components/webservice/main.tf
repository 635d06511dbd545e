# A page, served by a plain process on whatever port Nomad picks, and checked by Consul.
terraform {
  required_providers {
    oam = { source = "oam/oam" }
  }
}

provider "oam" {}

resource "oam_application" "page" {
  name = "page"

  component "web" {
    type    = "webservice"
    driver  = "raw_exec"
    command = ["/bin/sh", "-c"]
    args    = ["exec python3 -m http.server $NOMAD_PORT_http --bind 127.0.0.1 --directory $NOMAD_TASK_DIR"]

    port "http" {
      port = 8080
    }
    health_check {
      path     = "/"
      interval = "2s"
      timeout  = "1s"
    }
    resources {
      cpu    = "100m"
      memory = "64Mi"
    }
  }
}
