terraform {
  required_providers {
    oam = { source = "oam/oam" }
  }
}

data "oam_trait_types" "all" {}

output "for_tasks" {
  value = [
    for one in data.oam_trait_types.all.trait_types : one.name
    if contains(one.applies_to, "task")
  ]
}
