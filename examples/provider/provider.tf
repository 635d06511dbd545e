terraform {
  required_providers {
    oam = { source = "oam/oam" }
  }
}

variable "nomad_token" {
  type      = string
  sensitive = true
}

variable "consul_token" {
  type      = string
  sensitive = true
}

# What is left out comes from the environment: NOMAD_ADDR, NOMAD_TOKEN, CONSUL_HTTP_ADDR and so on.
provider "oam" {
  nomad {
    address = "https://nomad.example.com:4646"
    token   = var.nomad_token
  }
  consul {
    address    = "https://consul.example.com:8501"
    token      = var.consul_token
    key_prefix = "oam"
  }
}
