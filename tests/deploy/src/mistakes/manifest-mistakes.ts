/** A line of what helm or kustomize makes, miswritten. */
export interface ManifestMistake {
  readonly name: string;
  /** The object that is spoiled, as `Kind name`. */
  readonly object: string;
  readonly replace: readonly [string | RegExp, string];
  readonly says: RegExp;
}

/** In what helm makes for the profile `production`, and the last ones in an overlay. */
export const CHART_MISTAKES: readonly ManifestMistake[] = [
  {
    name: 'a field of a pod that does not exist',
    object: 'Deployment customer-api',
    replace: ['enableServiceLinks: false', 'enableServiceLink: false'],
    says: /spec\.template\.spec\.enableServiceLink is not known in 1\.34/,
  },
  {
    name: 'a misspelt field of a container',
    object: 'Deployment customer-api',
    replace: ['imagePullPolicy:', 'imagePullpolicy:'],
    says: /containers\[0\]\.imagePullpolicy is not known/,
  },
  {
    name: 'a policy that does not exist',
    object: 'Deployment customer-api',
    replace: ['imagePullPolicy: IfNotPresent', 'imagePullPolicy: IfAbsent'],
    says: /imagePullPolicy/,
  },
  {
    name: 'a port as a text',
    object: 'Deployment replicator',
    replace: ['containerPort: 8081', 'containerPort: "8081"'],
    says: /containerPort must be of type number/,
  },
  {
    name: 'a number in the environment',
    object: 'Deployment replicator',
    replace: ['value: "8081"', 'value: 8081'],
    says: /env\[\d+\]\.value must be of type string/,
  },
  {
    name: 'labels in the singular',
    object: 'Deployment replicator',
    replace: ['  labels:', '  label:'],
    says: /metadata\.label is not known/,
  },
  {
    name: 'a deployment without a selector',
    object: 'Deployment replicator',
    replace: [/ {2}selector:\n {4}matchLabels:\n {6}.*\n {6}.*\n/, ''],
    says: /selector/,
  },
  {
    name: 'a version of the API that is gone',
    object: 'PodDisruptionBudget replicator',
    replace: ['apiVersion: policy/v1', 'apiVersion: policy/v1beta1'],
    says: /there is no PodDisruptionBudget in policy\/v1beta1|not known in/,
  },
  {
    name: 'an eviction policy that does not exist',
    object: 'PodDisruptionBudget replicator',
    replace: ['AlwaysAllow', 'Always'],
    says: /unhealthyPodEvictionPolicy|must be equal to one of the allowed values/,
  },
  {
    name: 'a type of service in another case',
    object: 'Service customer-api',
    replace: ['type: ClusterIP', 'type: ClusterIp'],
    says: /type|must be equal to one of the allowed values/,
  },
  {
    name: 'a misspelt metric',
    object: 'HorizontalPodAutoscaler customer-api',
    replace: ['averageUtilization', 'averageUtilisation'],
    says: /target\.averageUtilisation is not known/,
  },
  {
    name: 'a scaler without a maximum',
    object: 'HorizontalPodAutoscaler customer-api',
    replace: ['  maxReplicas: 12\n', ''],
    says: /maxReplicas/,
  },
  {
    name: 'a probe with a unit',
    object: 'Deployment customer-api',
    replace: ['periodSeconds: 5', 'periodSeconds: 5s'],
    says: /readinessProbe\.periodSeconds must be of type number/,
  },
  {
    name: 'a sleep that is no object',
    object: 'Deployment customer-api',
    replace: ['sleep: {seconds: 10}', 'sleep: 10'],
    says: /lifecycle\.preStop\.sleep must be an object/,
  },
  {
    name: 'a rule of the network in the singular',
    object: 'NetworkPolicy customer-api',
    replace: ['policyTypes:', 'policyType:'],
    says: /spec\.policyType is not known/,
  },
  {
    name: 'one exception where a list belongs',
    object: 'NetworkPolicy replicator',
    replace: ['except: [169.254.169.254/32]', 'except: 169.254.169.254/32'],
    says: /ipBlock\.except must be a list/,
  },
  {
    name: 'KEDA: the name of another scaler for the minimum',
    object: 'ScaledObject replicator',
    replace: ['minReplicaCount', 'minReplicas'],
    says: /minReplicas is not known in I\w+/,
  },
  {
    name: 'KEDA: a misspelt reference',
    object: 'ScaledObject replicator',
    replace: ['authenticationRef', 'authRef'],
    says: /authRef is not known in I\w+/,
  },
  {
    name: 'KEDA: a maximum as a text',
    object: 'ScaledObject replicator',
    replace: ['maxReplicaCount: 10', 'maxReplicaCount: "10"'],
    says: /maxReplicaCount/,
  },
  {
    name: 'KEDA: a number in the metadata of a trigger',
    object: 'ScaledObject replicator',
    replace: ['messageCount: "100"', 'messageCount: 100'],
    says: /messageCount|metadata/,
  },
  {
    name: 'KEDA: a misspelt identity',
    object: 'TriggerAuthentication replicator',
    replace: ['identityId', 'identityID'],
    says: /identityID is not known in I\w+/,
  },
  {
    name: 'KEDA: a provider that does not exist',
    object: 'TriggerAuthentication replicator',
    replace: ['azure-workload', 'azure-workload-identity'],
    says: /provider|allowed values/,
  },
  {
    name: 'Gateway API: a misspelt list of hosts',
    object: 'HTTPRoute customer-api',
    replace: ['hostnames:', 'hosts:'],
    says: /hosts is not known in I\w+/,
  },
  {
    name: 'Gateway API: a match that does not exist',
    object: 'HTTPRoute customer-api',
    replace: ['PathPrefix', 'Prefix'],
    says: /type|allowed values/,
  },
  {
    name: 'a job that is always started again',
    object: 'Job tandem-configuration-check',
    replace: ['backoffLimit: 4', 'backOffLimit: 4'],
    says: /spec\.backOffLimit is not known/,
  },
];

export const OVERLAY_MISTAKES: readonly ManifestMistake[] = [
  {
    name: 'a quota in the wrong place',
    object: 'ResourceQuota tandem',
    replace: ['  hard:', '  limits:'],
    says: /spec\.limits is not known/,
  },
  {
    name: 'a provider class with a misspelt vault',
    object: 'SecretProviderClass tandem-connections',
    replace: ['keyvaultName', 'keyVaultName'],
    says: /parameters/,
  },
  {
    name: 'a provider class without a tenant',
    object: 'SecretProviderClass tandem-connections',
    replace: [/ {4}tenantId: .*\n/, ''],
    says: /parameters/,
  },
  {
    name: 'External Secrets: a version of the API that is gone',
    object: 'ExternalSecret tandem-connections',
    replace: ['external-secrets.io/v1\n', 'external-secrets.io/v1alpha1\n'],
    says: /there is no ExternalSecret in|Cannot find module/,
  },
  {
    name: 'External Secrets: a misspelt store',
    object: 'ExternalSecret tandem-connections',
    replace: ['secretStoreRef', 'storeRef'],
    says: /storeRef is not known in I\w+/,
  },
];
