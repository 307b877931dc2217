// The second deployment: what is told to the app. Event Grid accepts a function as a receiver only when it is there, so this
// follows the package.
targetScope = 'resourceGroup'

import { aksCluster } from 'types.bicep'

@description('Output appName of main.bicep; the topic has the same name.')
param appName string

@description('Output hostAccountName of main.bicep.')
param hostAccountName string

@description('Output deadLetterContainer of main.bicep.')
param deadLetterContainer string = 'dead-letters'

@description('Clusters whose announced upgrades start a backup of the plans with releases in them.')
param clusters aksCluster[] = []

resource app 'Microsoft.Web/sites@2024-04-01' existing = {
  name: appName
}

resource topic 'Microsoft.EventGrid/topics@2025-02-15' existing = {
  name: appName

  resource backupRequested 'eventSubscriptions' = {
    name: 'backup-requested'
    properties: {
      eventDeliverySchema: 'CloudEventSchemaV1_0'
      destination: {
        endpointType: 'AzureFunction'
        properties: { resourceId: '${app.id}/functions/on_event', maxEventsPerBatch: 1 }
      }
      filter: {
        // Without regard to case. What the app itself tells on this topic stays out.
        advancedFilters: [
          {
            operatorType: 'StringEndsWith'
            key: 'type'
            values: ['BackupRequested', 'Backup Requested', 'backup-requested', 'backup.requested', 'backup_requested']
          }
        ]
      }
      retryPolicy: { maxDeliveryAttempts: 30, eventTimeToLiveInMinutes: 1440 }
      deadLetterWithResourceIdentity: {
        identity: { type: 'SystemAssigned' }
        deadLetterDestination: {
          endpointType: 'StorageBlob'
          properties: { resourceId: resourceId('Microsoft.Storage/storageAccounts', hostAccountName), blobContainerName: deadLetterContainer }
        }
      }
    }
  }
}

module clusterEvents 'modules/cluster_events.bicep' = [for cluster in clusters: {
  name: '${appName}-events-${uniqueString(cluster.resourceGroup, cluster.name)}'
  scope: resourceGroup(cluster.?subscription ?? subscription().subscriptionId, cluster.resourceGroup)
  params: {
    clusterName: cluster.name
    appId: app.id
    hostSubscription: subscription().subscriptionId
    hostResourceGroup: resourceGroup().name
    hostAccountName: hostAccountName
    deadLetterContainer: deadLetterContainer
  }
}]
