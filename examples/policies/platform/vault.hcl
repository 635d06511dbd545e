# The policies of tenants. Whoever may do this, and the next, may get at every secret.
path "sys/policies/acl/oam-*" {
  capabilities = [
    "read",
    "update",
    "delete",
  ]
}

# The roles of tenants at the login of Nomad's tasks.
path "auth/jwt-nomad/role/oam-*" {
  capabilities = [
    "read",
    "create",
    "update",
    "delete",
  ]
}

# Which version of the key-value store it is: Vault tells that to whoever may do anything in the mount.
# This is the mount's own configuration, and no secret; of version 1 name any path that is not used.
path "secret/config" {
  capabilities = [
    "read",
  ]
}
