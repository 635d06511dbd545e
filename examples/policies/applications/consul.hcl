# The records of the applications, and of what was applied before.
key_prefix "oam/applications/default/" { policy = "write" }
key_prefix "oam/revisions/default/" { policy = "write" }

# The scopes that they refer to.
key_prefix "oam/scopes/" { policy = "read" }

# What is a tenant's, so that they keep out of it: the tenants, and whose each domain is.
key_prefix "oam/tenants/" { policy = "read" }
key "oam/domains" { policy = "read" }

# The locks on the records.
session_prefix "" { policy = "write" }
