# By name, or by its ID.
terraform import oam_node_pool_scope.gpu gpu
terraform import oam_node_pool_scope.gpu node-pool/gpu
