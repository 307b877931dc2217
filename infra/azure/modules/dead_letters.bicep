// Lets a topic leave what it could not deliver in the dead-letter container, and do nothing else there.
param accountName string
param containerName string
@description('Of the topic\'s own identity.')
param principalId string

var role = 'ba92f5b4-2d11-453d-a403-e96b0029c9fe' // Storage Blob Data Contributor

resource account 'Microsoft.Storage/storageAccounts@2024-01-01' existing = {
  name: accountName

  resource blobs 'blobServices' existing = {
    name: 'default'
    resource container 'containers' existing = {
      name: containerName
    }
  }
}

resource access 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(account::blobs::container.id, principalId, role)
  scope: account::blobs::container
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role)
    principalId: principalId
    principalType: 'ServicePrincipal'
  }
}

output accountId string = account.id
