terraform {
  required_version = ">= 1.10"

  required_providers {
    oam = { source = "oam/oam" }
  }
}

# The platform's own tokens, which may make others: from NOMAD_TOKEN and CONSUL_HTTP_TOKEN.
provider "oam" {
  nomad {
    address = "https://nomad.example.com:4646"
  }
  consul {
    address = "https://consul.example.com:8501"
  }
}

ephemeral "oam_tenant_token" "acme" {
  tenant = "acme"
  ttl    = "30m"
}

# What the tenant may do, and nothing else.
provider "oam" {
  alias = "acme"

  nomad {
    address = "https://nomad.example.com:4646"
    token   = ephemeral.oam_tenant_token.acme.nomad_token
  }
  consul {
    address = "https://consul.example.com:8501"
    token   = ephemeral.oam_tenant_token.acme.consul_token
  }
}

resource "oam_application" "shop" {
  provider = oam.acme
  name     = "shop"
  tenant   = "acme"

  component "web" {
    type  = "webservice"
    image = "nginx:1.25"

    port "http" {
      port = 80
    }
  }
}
