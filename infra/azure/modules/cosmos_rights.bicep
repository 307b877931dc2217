// What Cosmos DB grants for a subscription only: its restorable accounts, and the right to restore from them.
targetScope = 'subscription'

@description('Begins the names of the roles, which are unique in the tenant.')
param appName string
param principalId string
param allowRestores bool

var rights = loadJsonContent('../rights.json').subscription
// It may restore, and read what can be restored; where to, only the role on a resource group says.
var restoreOperator = '5432c526-bc82-444a-b7ba-57c5b0b5b34f' // CosmosRestoreOperator

resource reader 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(subscription().id, appName, 'cosmos-check')
  properties: {
    roleName: '${appName} Cosmos DB restore points (${uniqueString(subscription().id)})'
    description: 'Reads which Cosmos DB accounts can be restored to when.'
    type: 'CustomRole'
    permissions: [{ actions: rights.check, notActions: [], dataActions: [], notDataActions: [] }]
    assignableScopes: [subscription().id]
  }
}

resource reading 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(subscription().id, principalId, 'cosmos-check')
  properties: {
    roleDefinitionId: reader.id
    principalId: principalId
    principalType: 'ServicePrincipal'
  }
}

resource restoring 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (allowRestores) {
  name: guid(subscription().id, principalId, restoreOperator)
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', restoreOperator)
    principalId: principalId
    principalType: 'ServicePrincipal'
  }
}
