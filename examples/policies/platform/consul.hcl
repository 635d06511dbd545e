# The records of scopes, and who uses them.
key_prefix "oam/scopes/" { policy = "write" }
key_prefix "oam/applications/" { policy = "read" }

# The locks on the records.
session_prefix "" { policy = "write" }
