"""What all resource providers of Resource Manager share: routes, bodies, rights, long-running operations, bad days."""
