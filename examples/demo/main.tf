# The application of `make demo`: a page that says its greeting, and a nightly job.
terraform {
  required_providers {
    oam = { source = "oam/oam" }
  }
}

# Nomad and Consul are found through NOMAD_ADDR and CONSUL_HTTP_ADDR, as by their own commands.
provider "oam" {}

variable "image" {
  description = "A Docker image with busybox; without one the page is served by a plain process."
  type        = string
  default     = null
}

variable "greeting" {
  type    = string
  default = "Hello from an OAM application"
}

locals {
  # Nomad says in the environment where to listen.
  serve = var.image == null ? "python3 -m http.server $NOMAD_PORT_http --bind 127.0.0.1 --directory $NOMAD_TASK_DIR" : "busybox httpd -f -p $NOMAD_PORT_http -h $NOMAD_TASK_DIR"
}

resource "oam_application" "demo" {
  name = "demo"

  component "web" {
    type    = "webservice"
    image   = var.image
    driver  = var.image == null ? "raw_exec" : "docker"
    command = ["/bin/sh", "-c", "echo \"$GREETING\" > $NOMAD_TASK_DIR/index.html; exec ${local.serve}"]
    env     = { GREETING = var.greeting }

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
    ingress {
      host = "demo.example.com"
    }
  }

  component "report" {
    type     = "cron-task"
    driver   = "raw_exec"
    command  = ["/bin/sh", "-c", "date"]
    schedule = "0 3 * * *"
  }
}

output "jobs" {
  value = { for name, job in oam_application.demo.jobs : name => "${job.type} ${job.id}" }
}
