# The policies and roles of tenants. Whoever may do this may do everything.
acl = "write"

# The records of tenants, whose each domain is, and what each uses of its quotas.
key_prefix "oam/tenants/" { policy = "write" }
key "oam/domains" { policy = "write" }
key_prefix "oam/usage/" { policy = "write" }

# The records of scopes.
key_prefix "oam/scopes/" { policy = "write" }

# Which applications use a scope or are a tenant's, before it goes.
key_prefix "oam/applications/" { policy = "read" }

# The locks on the records.
session_prefix "" { policy = "write" }
