// Two storage accounts without keys: the host's, which can be made anew, and the catalog's, which would be missed.
param location string
param tags object
param suffix string
param sku string
@description('Of the app\'s identity.')
param principalId string

// What the Functions host and Durable Functions ask for when they sign in with an identity.
// https://learn.microsoft.com/azure/azure-functions/functions-reference#connecting-to-host-storage-with-an-identity
var hostRoles = [
  'b7e6dc6d-f1e8-4753-8033-0f276bb0955b' // Storage Blob Data Owner
  '974c5e8b-45b9-4653-ba55-5f855dd0fb88' // Storage Queue Data Contributor
  '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3' // Storage Table Data Contributor
]
var catalogRole = '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3' // Storage Table Data Contributor

// Open to networks, closed to everybody without a role: operators read the catalog from their own machines.
resource host 'Microsoft.Storage/storageAccounts@2024-01-01' = {
  name: 'scalarhost${suffix}'
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: sku }
  properties: {
    allowSharedKeyAccess: false
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
  }

  resource blobs 'blobServices' = {
    name: 'default'
    resource packages 'containers' = {
      name: 'packages'
      properties: { publicAccess: 'None' }
    }
    resource deadLetters 'containers' = {
      name: 'dead-letters'
      properties: { publicAccess: 'None' }
    }
  }
}

// As on AWS: what could not be started waits for a fortnight.
resource hostLife 'Microsoft.Storage/storageAccounts/managementPolicies@2024-01-01' = {
  parent: host
  name: 'default'
  properties: {
    policy: {
      rules: [
        {
          name: 'dead-letters-end'
          type: 'Lifecycle'
          definition: {
            filters: { blobTypes: ['blockBlob'], prefixMatch: [host::blobs::deadLetters.name] }
            actions: { baseBlob: { delete: { daysAfterModificationGreaterThan: 14 } } }
          }
        }
      ]
    }
  }
}

resource catalog 'Microsoft.Storage/storageAccounts@2024-01-01' = {
  name: 'scalarcat${suffix}'
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: sku }
  properties: {
    allowSharedKeyAccess: false
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
  }

  resource tables 'tableServices' = {
    name: 'default'
    resource table 'tables' = {
      name: 'catalog'
    }
  }
}

// Deleting the resource group stops here. Entities are written and deleted as before.
resource keepCatalog 'Microsoft.Authorization/locks@2020-05-01' = {
  name: 'keep-the-catalog'
  scope: catalog
  properties: { level: 'CanNotDelete', notes: 'Restore points are found by it. Remove this lock only when no backup is needed any more.' }
}

resource hostAccess 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for role in hostRoles: {
  name: guid(host.id, principalId, role)
  scope: host
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role)
    principalId: principalId
    principalType: 'ServicePrincipal'
  }
}]

resource catalogAccess 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(catalog::tables::table.id, principalId, catalogRole)
  scope: catalog::tables::table
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', catalogRole)
    principalId: principalId
    principalType: 'ServicePrincipal'
  }
}

output hostAccountName string = host.name
output packageContainerUrl string = '${host.properties.primaryEndpoints.blob}${host::blobs::packages.name}'
output deadLetterContainer string = host::blobs::deadLetters.name
output catalogEndpoint string = 'https://${catalog.name}.table.${environment().suffixes.storage}'
output catalogTable string = catalog::tables::table.name
