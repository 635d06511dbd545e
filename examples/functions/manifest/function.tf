terraform {
  required_providers {
    oam = { source = "oam/oam" }
  }
}

# The names are those of the blocks of oam_application; labels are keys.
output "document" {
  value = provider::oam::manifest({
    name = "shop"
    component = {
      web = {
        type  = "webservice"
        image = "nginx:1.25"
        env   = { GREETING = "hello" }
        port  = { http = { port = 80 } }
        scaler = {
          min = 2
          max = 4
        }
      }
    }
  })
}
