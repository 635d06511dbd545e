# By name, for an application of no tenant, or as tenant/name.
terraform import oam_application.shop shop
terraform import oam_application.shop acme/shop
# Jobs that no application has yet, such as those written by hand, by their namespace and IDs.
terraform import oam_application.shop nomad:default/shop-web,shop-api
