// The deployment on Azure: one Durable Functions app with one identity, its storage, the catalog, a topic, logs and alerts, and
// the rights on databases and clusters. docs/deploy-azure.md walks through it; events.bicep follows once the package is there.
targetScope = 'resourceGroup'

import { aksCluster, databaseGroup } from 'types.bicep'

@description('Begins the names of everything, together with a suffix where a name must be unique in the world.')
@minLength(3)
@maxLength(24)
param name string = 'scalar-backup'

@description('That of the clusters: the app must reach their pods.')
param location string = resourceGroup().location

@description('Id of a subnet of at least /27, delegated to Microsoft.App/environments, from which pods and API servers can be reached. Empty: no VNet, which is enough only for public API servers and port-forward.')
param subnetId string = ''

@description('Resource groups with databases of plans.')
param databaseGroups databaseGroup[] = []

@description('AKS clusters with releases of plans.')
param clusters aksCluster[] = []

@description('False leaves out every right to restore, cut over, read keys and delete: backups work, restores are refused by name.')
param allowRestores bool = true

@description('Plans that must have a new restore point every so often; silence about one of them raises an alert.')
param watchedPlans string[] = []

@description('How long a watched plan may be without a new restore point.')
@minValue(1)
@maxValue(47)
param silenceHours int = 26

@description('Who is told of alerts. Empty: alerts are raised in the portal and nobody is told.')
param alertEmails string[] = []

@description('How the catalog and the app\'s own state are copied. Zone-redundant where the region has zones; a geo-redundant one outlives the region.')
@allowed(['Standard_GRS', 'Standard_GZRS', 'Standard_LRS', 'Standard_ZRS'])
param storageSku string = 'Standard_ZRS'

@description('Instances kept running for orchestrators and activities. One spares a resume the cold start of the app; none costs nothing while idle.')
@minValue(0)
@maxValue(5)
param alwaysReadyInstances int = 1

@minValue(30)
@maxValue(730)
param logRetentionDays int = 90

var suffix = uniqueString(resourceGroup().id, name)
var appName = '${name}-${suffix}'
var cosmosGroups = filter(databaseGroups, group => contains(group.engines, 'cosmos'))
// Each subscription once, however many of the groups are in it.
var cosmosSubscriptions = union([], map(cosmosGroups, group => group.?subscription ?? subscription().subscriptionId))
// What infra/azure/package.py builds for: bytecode and libraries are good for no other.
var pythonVersion = '3.12'
var tags = { application: 'scalar-backup' }

// --- who it is

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: '${name}-app'
  location: location
  tags: tags
}

// --- what is remembered, and where it is told

module storage 'modules/storage.bicep' = {
  name: '${name}-storage'
  params: {
    location: location
    tags: tags
    suffix: suffix
    sku: storageSku
    principalId: identity.properties.principalId
  }
}

module topic 'modules/topic.bicep' = {
  name: '${name}-topic'
  params: {
    location: location
    tags: tags
    topicName: appName
    principalId: identity.properties.principalId
    hostAccountName: storage.outputs.hostAccountName
    deadLetterContainer: storage.outputs.deadLetterContainer
  }
}

module monitoring 'modules/monitoring.bicep' = {
  name: '${name}-monitoring'
  params: {
    location: location
    tags: tags
    prefix: name
    retentionDays: logRetentionDays
    principalId: identity.properties.principalId
    topicId: topic.outputs.topicId
    watchedPlans: watchedPlans
    silenceHours: silenceHours
    alertEmails: alertEmails
  }
}

// --- the app

resource plan 'Microsoft.Web/serverfarms@2024-04-01' = {
  name: '${name}-plan'
  location: location
  tags: tags
  kind: 'functionapp'
  sku: { tier: 'FlexConsumption', name: 'FC1' }
  properties: { reserved: true }
}

resource app 'Microsoft.Web/sites@2024-04-01' = {
  name: appName
  location: location
  tags: tags
  kind: 'functionapp,linux'
  identity: { type: 'UserAssigned', userAssignedIdentities: { '${identity.id}': {} } }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: storage.outputs.packageContainerUrl
          authentication: { type: 'UserAssignedIdentity', userAssignedIdentityResourceId: identity.id }
        }
      }
      scaleAndConcurrency: {
        maximumInstanceCount: 40
        instanceMemoryMB: 2048
        alwaysReady: alwaysReadyInstances == 0 ? [] : [{ name: 'durable', instanceCount: alwaysReadyInstances }]
      }
      runtime: { name: 'python', version: pythonVersion }
    }
    siteConfig: {
      minTlsVersion: '1.2'
      http20Enabled: true
      appSettings: [
        { name: 'AzureWebJobsStorage__accountName', value: storage.outputs.hostAccountName }
        { name: 'AzureWebJobsStorage__credential', value: 'managedidentity' }
        { name: 'AzureWebJobsStorage__clientId', value: identity.properties.clientId }
        { name: 'AZURE_CLIENT_ID', value: identity.properties.clientId }
        { name: 'CATALOG_ENDPOINT', value: storage.outputs.catalogEndpoint }
        { name: 'CATALOG_TABLE', value: storage.outputs.catalogTable }
        { name: 'EVENT_TOPIC_ENDPOINT', value: topic.outputs.endpoint }
        { name: 'APPLICATIONINSIGHTS_CONNECTION_STRING', value: monitoring.outputs.connectionString }
        { name: 'APPLICATIONINSIGHTS_AUTHENTICATION_STRING', value: 'ClientId=${identity.properties.clientId};Authorization=AAD' }
      ]
    }
  }

  // Packages come with Entra sign-in; a publishing password would be a second way in.
  resource publishingOverScm 'basicPublishingCredentialsPolicies' = {
    name: 'scm'
    properties: { allow: false }
  }
  resource publishingOverFtp 'basicPublishingCredentialsPolicies' = {
    name: 'ftp'
    properties: { allow: false }
  }
}

// --- what it may touch

module databaseRights 'modules/database_rights.bicep' = [for group in databaseGroups: {
  name: '${name}-rights-${uniqueString(group.resourceGroup)}'
  scope: resourceGroup(group.?subscription ?? subscription().subscriptionId, group.resourceGroup)
  params: {
    appName: appName
    engines: group.engines
    principalId: identity.properties.principalId
    allowRestores: allowRestores
  }
}]

// Restorable accounts belong to a location of the subscription: no narrower scope exists.
module cosmosRights 'modules/cosmos_rights.bicep' = [for each in cosmosSubscriptions: {
  name: '${name}-cosmos-rights'
  scope: subscription(each)
  params: {
    appName: appName
    principalId: identity.properties.principalId
    allowRestores: allowRestores
  }
}]

module clusterRights 'modules/cluster_rights.bicep' = [for cluster in clusters: {
  name: '${name}-cluster-${uniqueString(cluster.resourceGroup, cluster.name)}'
  scope: resourceGroup(cluster.?subscription ?? subscription().subscriptionId, cluster.resourceGroup)
  params: {
    clusterName: cluster.name
    principalId: identity.properties.principalId
  }
}]

@description('Of the function app; for the package, for keys, and for events.bicep.')
output appName string = app.name
output appHost string = app.properties.defaultHostName
@description('Object id of the identity, for role bindings in the clusters.')
output principalId string = identity.properties.principalId
output catalogEndpoint string = storage.outputs.catalogEndpoint
output catalogTable string = storage.outputs.catalogTable
output topicName string = topic.outputs.topicName
output eventTopicEndpoint string = topic.outputs.endpoint
output hostAccountName string = storage.outputs.hostAccountName
output deadLetterContainer string = storage.outputs.deadLetterContainer
output workspaceId string = monitoring.outputs.workspaceCustomerId
