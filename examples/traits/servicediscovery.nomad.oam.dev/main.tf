# A service that others find in Consul under the name "catalog", with a tag and a check.
terraform {
  required_providers {
    oam = { source = "oam/oam" }
  }
}

provider "oam" {}

resource "oam_application" "books" {
  name = "books"

  component "web" {
    type    = "webservice"
    driver  = "raw_exec"
    command = ["/bin/sh", "-c"]
    args    = ["exec python3 -m http.server $NOMAD_PORT_http --bind 127.0.0.1 --directory $NOMAD_TASK_DIR"]

    port "http" {
      port = 8080
    }
    service_discovery {
      service_name = "catalog"
      tags         = ["v1"]
      port         = "http"

      check {
        type     = "http"
        path     = "/"
        interval = "2s"
        timeout  = "1s"
      }
    }
  }
}
