# By name, for an application of no tenant, or as tenant/name.
terraform import oam_application.shop shop
terraform import oam_application.shop acme/shop
