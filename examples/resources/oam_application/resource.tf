terraform {
  required_providers {
    oam = { source = "oam/oam" }
  }
}

resource "oam_application" "shop" {
  name = "shop"

  component "web" {
    type  = "webservice"
    image = "nginx:1.25"
    env   = { LOG_LEVEL = "info" }

    port "http" {
      port = 80
    }
    health_check {
      path     = "/"
      interval = "10s"
      timeout  = "2s"
    }
    resources {
      cpu    = "500m"
      memory = "256Mi"
    }
    scaler {
      replicas = 2
      min      = 2
      max      = 10
      metric   = "cpu"
      target   = 70
    }
    ingress {
      host = "shop.example.com"
      tls  = true
    }
    volume "data" {
      source     = "data"
      mount_path = "/data"
    }
  }

  component "mails" {
    type    = "worker"
    image   = "example/mails:2.4"
    command = ["mails", "--queue", "orders"]
  }

  component "report" {
    type      = "cron-task"
    image     = "example/report:1.0"
    schedule  = "0 3 * * *"
    time_zone = "Europe/Copenhagen"
  }
}
