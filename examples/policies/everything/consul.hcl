# All records: of tenants, scopes and all applications.
key_prefix "oam/" { policy = "write" }

# The policies and roles of tenants. Whoever may do this may do everything.
acl = "write"

# The locks on the records.
session_prefix "" { policy = "write" }
