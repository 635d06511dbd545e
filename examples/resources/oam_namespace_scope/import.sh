# By name, or by its ID.
terraform import oam_namespace_scope.team team
terraform import oam_namespace_scope.team namespace/team
