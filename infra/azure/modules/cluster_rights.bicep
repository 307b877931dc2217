// The right to ask Azure where the cluster is. What may be done inside it, infra/kubernetes/rbac.yaml says.
param clusterName string
param principalId string

var userRole = '4abbcc35-e782-43d8-92c5-2d3f1bd2253f' // Azure Kubernetes Service Cluster User Role

resource cluster 'Microsoft.ContainerService/managedClusters@2024-05-01' existing = {
  name: clusterName
}

resource access 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(cluster.id, principalId, userRole)
  scope: cluster
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', userRole)
    principalId: principalId
    principalType: 'ServicePrincipal'
  }
}
