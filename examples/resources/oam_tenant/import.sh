# By name.
terraform import oam_tenant.acme acme
