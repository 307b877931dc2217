// Upgrades that AKS announces for one cluster, told to the app. Azure keeps one system topic for each cluster; another one that
// is there already has to be removed first, or its name given.
param clusterName string
param systemTopicName string = '${clusterName}-events'
param appId string
param hostSubscription string
param hostResourceGroup string
param hostAccountName string
param deadLetterContainer string

resource cluster 'Microsoft.ContainerService/managedClusters@2024-05-01' existing = {
  name: clusterName
}

resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' = {
  name: systemTopicName
  location: cluster.location
  identity: { type: 'SystemAssigned' }
  properties: {
    source: cluster.id
    topicType: 'Microsoft.ContainerService.ManagedClusters'
  }
}

module deadLetters 'dead_letters.bicep' = {
  name: '${systemTopicName}-dead-letters'
  scope: resourceGroup(hostSubscription, hostResourceGroup)
  params: {
    accountName: hostAccountName
    containerName: deadLetterContainer
    principalId: topic.identity.principalId
  }
}

resource announced 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2025-02-15' = {
  parent: topic
  name: 'scalar-backup'
  properties: {
    eventDeliverySchema: 'CloudEventSchemaV1_0'
    destination: {
      endpointType: 'AzureFunction'
      properties: { resourceId: '${appId}/functions/on_event', maxEventsPerBatch: 1 }
    }
    filter: {
      includedEventTypes: [
        'Microsoft.ContainerService.NewKubernetesVersionAvailable'
        'Microsoft.ContainerService.ClusterSupportEnding'
      ]
    }
    retryPolicy: { maxDeliveryAttempts: 30, eventTimeToLiveInMinutes: 1440 }
    deadLetterWithResourceIdentity: {
      identity: { type: 'SystemAssigned' }
      deadLetterDestination: {
        endpointType: 'StorageBlob'
        properties: { resourceId: deadLetters.outputs.accountId, blobContainerName: deadLetterContainer }
      }
    }
  }
}
