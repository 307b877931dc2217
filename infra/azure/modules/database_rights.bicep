// The rights on the databases of one resource group: a role for each privilege class, so that each can be taken away alone.
// rights.json has the actions; a test holds it to those that the code uses.
@description('Begins the names of the roles, which are unique in the tenant.')
param appName string
param engines ('cosmos' | 'mysql' | 'postgresql')[]
param principalId string
param allowRestores bool

var rights = any(loadJsonContent('../rights.json').resourceGroup)
var backupClasses = [
  { name: 'check', description: 'Reads databases and their settings.' }
  { name: 'protect', description: 'Makes and removes on-demand backups.' }
]
var restoreClasses = [
  { name: 'restore', description: 'Restores into new databases and sets them up like the old ones.' }
  { name: 'lead', description: 'Reads the key of an account that a release is led to.' }
  { name: 'discard', description: 'Deletes databases. The app deletes only what bears a stamp of a restore.' }
]
var classes = allowRestores ? concat(backupClasses, restoreClasses) : backupClasses
var granted = map(classes, class => {
  name: class.name
  description: class.description
  actions: flatten(map(engines, engine => rights[engine][class.name]))
})
var wanted = filter(granted, class => !empty(class.actions))

resource roles 'Microsoft.Authorization/roleDefinitions@2022-04-01' = [for class in wanted: {
  name: guid(resourceGroup().id, appName, class.name)
  properties: {
    roleName: '${appName} ${class.name} in ${resourceGroup().name} (${uniqueString(resourceGroup().id)})'
    description: class.description
    type: 'CustomRole'
    permissions: [{ actions: class.actions, notActions: [], dataActions: [], notDataActions: [] }]
    assignableScopes: [resourceGroup().id]
  }
}]

resource assignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for (class, index) in wanted: {
  name: guid(resourceGroup().id, principalId, class.name)
  properties: {
    roleDefinitionId: roles[index].id
    principalId: principalId
    principalType: 'ServicePrincipal'
  }
}]
