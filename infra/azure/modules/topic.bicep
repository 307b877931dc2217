// The topic: outcomes are told on it, and backups are asked for on it.
param location string
param tags object
param topicName string
@description('Of the app\'s identity.')
param principalId string
param hostAccountName string
param deadLetterContainer string

var senderRole = 'd5a91429-5739-47e2-a06b-3470a27159e7' // EventGrid Data Sender

resource topic 'Microsoft.EventGrid/topics@2025-02-15' = {
  name: topicName
  location: location
  tags: tags
  identity: { type: 'SystemAssigned' }
  properties: {
    inputSchema: 'CloudEventSchemaV1_0'
    disableLocalAuth: true
    minimumTlsVersionAllowed: '1.2'
  }
}

resource sending 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(topic.id, principalId, senderRole)
  scope: topic
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', senderRole)
    principalId: principalId
    principalType: 'ServicePrincipal'
  }
}

module deadLetters 'dead_letters.bicep' = {
  name: '${topicName}-dead-letters'
  params: {
    accountName: hostAccountName
    containerName: deadLetterContainer
    principalId: topic.identity.principalId
  }
}

output topicId string = topic.id
output topicName string = topic.name
output endpoint string = topic.properties.endpoint
