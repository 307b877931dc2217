// Copy, fill in, keep with your own deployments: az deployment group create --parameters <copy>
using 'main.bicep'

param subnetId = '/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/network/providers/Microsoft.Network/virtualNetworks/prod/subnets/scalar-backup'
param databaseGroups = [
  { resourceGroup: 'orders', engines: ['cosmos', 'postgresql'] }
]
param clusters = [
  { resourceGroup: 'orders', name: 'prod' }
]
param watchedPlans = ['orders-prod']
param alertEmails = ['oncall@example.com']
