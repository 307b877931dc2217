// Shapes of parameters that several templates take.

@export()
@description('A resource group with databases of plans. A restore makes its new databases in the same group.')
type databaseGroup = {
  @description('Only when it is another than that of the deployment.')
  subscription: string?
  resourceGroup: string
  @description('What plans name there; rights are granted for nothing else.')
  engines: ('cosmos' | 'mysql' | 'postgresql')[]
}

@export()
@description('An AKS cluster with releases of plans.')
type aksCluster = {
  @description('Only when it is another than that of the deployment.')
  subscription: string?
  resourceGroup: string
  name: string
}
