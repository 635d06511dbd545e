# By name, or by its ID.
terraform import oam_network_scope.mesh mesh
terraform import oam_network_scope.mesh network/mesh
