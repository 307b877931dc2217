// Logs, and the alerts that should wake somebody or tell somebody in the morning.
param location string
param tags object
param prefix string
param retentionDays int
@description('Of the app\'s identity.')
param principalId string
param topicId string
param watchedPlans string[]
param silenceHours int
param alertEmails string[]

var publisherRole = '3913510d-42f4-4e42-8a64-420c390055eb' // Monitoring Metrics Publisher
// Metrics are log lines: {"message": "metric", "metric": …, "value": …, "plan": …}
var metricLines = 'AppTraces | extend line = parse_json(Message) | where line.message == "metric" | extend metric = tostring(line.metric), plan = tostring(line.plan)'
var counted = [
  {
    metric: 'WatchdogFired'
    severity: 1
    title: 'Pods were resumed by the watchdog'
    description: 'A run could not resume the pods that it had paused. They run again; find out what ended the run.'
  }
  {
    metric: 'BackupsFailed'
    severity: 2
    title: 'A backup failed'
    description: 'The run\'s cause and hint: scalar-backup runs show RUN, or the log lines of the run.'
  }
  {
    metric: 'RestoresHalted'
    severity: 1
    title: 'A restore halted'
    description: 'Nothing is lost; the application may be down. The runbook says how to go on or back.'
  }
  {
    metric: 'RestoresFailed'
    severity: 2
    title: 'A restore failed'
    description: 'The run\'s cause and hint: scalar-backup runs show RUN.'
  }
  {
    metric: 'CleanUpProblems'
    severity: 3
    title: 'Copies of a restore cannot be deleted'
    description: 'Their time is over and they go on costing money. The error lines of the step restore_clean_up say what keeps each.'
  }
]

resource workspace 'Microsoft.OperationalInsights/workspaces@2023-09-01' = {
  name: '${prefix}-logs'
  location: location
  tags: tags
  properties: {
    sku: { name: 'PerGB2018' }
    retentionInDays: retentionDays
    features: { enableLogAccessUsingOnlyResourcePermissions: true }
  }
}

resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: '${prefix}-insights'
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspace.id
    DisableLocalAuth: true
  }
}

resource telling 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(insights.id, principalId, publisherRole)
  scope: insights
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', publisherRole)
    principalId: principalId
    principalType: 'ServicePrincipal'
  }
}

resource people 'Microsoft.Insights/actionGroups@2023-01-01' = if (!empty(alertEmails)) {
  name: '${prefix}-alerts'
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    groupShortName: 'scalarbackup'
    emailReceivers: [for (address, index) in alertEmails: {
      name: 'person-${index}'
      emailAddress: address
      useCommonAlertSchema: true
    }]
  }
}

var actionGroups = empty(alertEmails) ? [] : [people.id]

resource happened 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [for each in counted: {
  name: '${prefix}-${each.metric}'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: each.title
    description: each.description
    severity: each.severity
    enabled: true
    scopes: [workspace.id]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    criteria: {
      allOf: [
        {
          query: '${metricLines} | where metric == "${each.metric}" and toreal(line.value) > 0'
          timeAggregation: 'Count'
          dimensions: [{ name: 'plan', operator: 'Include', values: ['*'] }]
          operator: 'GreaterThan'
          threshold: 0
          failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 }
        }
      ]
    }
    autoMitigate: true
    // The tables are made with their first lines, which may come after this rule.
    skipQueryValidation: true
    actions: { actionGroups: actionGroups }
  }
}]

// Silence has every cause: no schedule, no app, no logs. The plans are named, because nobody can be missed who was never here.
resource silence 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = if (!empty(watchedPlans)) {
  name: '${prefix}-silence'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: 'A plan has no new restore point'
    description: 'No backup of the plan has succeeded for ${silenceHours} hours.'
    severity: 1
    enabled: true
    scopes: [workspace.id]
    evaluationFrequency: 'PT1H'
    windowSize: 'P2D'
    criteria: {
      allOf: [
        {
          query: 'print plan = split("${join(watchedPlans, ',')}", ",") | mv-expand plan to typeof(string) | join kind=leftanti (${metricLines} | where metric == "BackupsSucceeded" and TimeGenerated > ago(${silenceHours}h)) on plan | extend TimeGenerated = now()'
          timeAggregation: 'Count'
          dimensions: [{ name: 'plan', operator: 'Include', values: ['*'] }]
          operator: 'GreaterThan'
          threshold: 0
          failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 }
        }
      ]
    }
    autoMitigate: true
    skipQueryValidation: true
    actions: { actionGroups: actionGroups }
  }
}

resource undelivered 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: '${prefix}-undelivered'
  location: 'global'
  tags: tags
  properties: {
    description: 'Events were given up and lie in the container dead-letters of the host\'s storage account. Some may ask for backups.'
    severity: 2
    enabled: true
    scopes: [topicId]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'dead-lettered'
          metricNamespace: 'Microsoft.EventGrid/topics'
          metricName: 'DeadLetteredCount'
          operator: 'GreaterThan'
          threshold: 0
          timeAggregation: 'Total'
        }
      ]
    }
    actions: empty(alertEmails) ? [] : [{ actionGroupId: people.id }]
  }
}

output connectionString string = insights.properties.ConnectionString
output workspaceCustomerId string = workspace.properties.customerId
