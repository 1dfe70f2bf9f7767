/** A line of the chart that every schema takes, and that a cluster would miss on a bad day. */
export interface ChartFault {
  readonly name: string;
  /** Below the chart `tandem`. */
  readonly file: string;
  readonly replace: readonly [string | RegExp, string];
  readonly says: RegExp;
}

const API = 'charts/customer-api';
const REPLICATOR = 'charts/replicator';
const LIB = 'charts/tandem-lib/templates';
const POD = `${LIB}/_pod.tpl`;
const DEPLOYMENT = `${LIB}/_deployment.tpl`;
const BUDGET = `${LIB}/_disruption-budget.tpl`;
const HOOKS = 'templates/configuration-check.yaml';

export const CHART_FAULTS: readonly ChartFault[] = [
  {
    name: 'the region is asked where the process should be, before traffic',
    file: POD,
    replace: ['/health/serving', '/health/ready'],
    says: /readinessProbe does not ask \/health\/serving/,
  },
  {
    name: 'the region is asked where the process should be, before a restart',
    file: POD,
    replace: [/(livenessProbe:\n.*)\/health\/live/, '$1/health/ready'],
    says: /livenessProbe does not ask \/health\/live/,
  },
  {
    name: 'liveness and readiness swapped',
    file: POD,
    replace: [/livenessProbe([^]*)readinessProbe/, 'readinessProbe$1livenessProbe'],
    says: /livenessProbe does not ask[^]*readinessProbe does not ask/,
  },
  {
    name: 'no liveness',
    file: POD,
    replace: [/livenessProbe:(\n {2}.*)+/, ''],
    says: /livenessProbe does not ask/,
  },
  {
    name: 'a start that waits for the region',
    file: POD,
    replace: [/(startupProbe:\n.*)\/health\/live/, '$1/health/serving'],
    says: /startupProbe does not ask/,
  },
  {
    name: 'no time to start',
    file: POD,
    replace: ['failureThreshold: 30', 'failureThreshold: 3'],
    says: /ended before it has started/,
  },
  {
    name: 'a restart before the load balancer knows',
    file: POD,
    replace: ['periodSeconds: 10', 'periodSeconds: 2'],
    says: /ended before it is taken out/,
  },
  {
    name: 'a restart after one answer that was lost',
    file: POD,
    replace: ['failureThreshold: 3\n', 'failureThreshold: 1\n'],
    says: /livenessProbe takes one lost answer for the end/,
  },
  {
    name: 'probes without patience',
    file: POD,
    replace: [/timeoutSeconds: 3/g, 'timeoutSeconds: 1'],
    says: /livenessProbe is impatient[^]*readinessProbe is impatient/,
  },
  {
    name: 'a probe of another port',
    file: POD,
    replace: ['/health/serving, port: http}', '/health/serving, port: metrics}'],
    says: /readinessProbe asks another port/,
  },
  {
    name: 'the grace period of the cluster',
    file: DEPLOYMENT,
    replace: [/terminationGracePeriodSeconds: .*/, 'terminationGracePeriodSeconds: 30'],
    says: /killed before it has stopped/,
  },
  {
    name: 'a grace period that forgets the sleep before it',
    file: DEPLOYMENT,
    replace: ['add (int64 $values.preStopSeconds) $shutdownSeconds', 'add $shutdownSeconds'],
    says: /customer-api: it is killed before it has stopped/,
  },
  {
    name: 'a grace period that ends with the deadline of a stop',
    file: DEPLOYMENT,
    replace: ['$shutdownSeconds 5 }}', '$shutdownSeconds }}'],
    says: /customer-api: it is killed before it has stopped[^]*replicator: it is killed/,
  },
  {
    name: 'a grace period for half a stop',
    file: DEPLOYMENT,
    replace: ['999) 1000', '999) 2000'],
    says: /replicator: it is killed before it has stopped/,
  },
  {
    name: 'a process that is told of more time than it has',
    file: `${LIB}/_environment.tpl`,
    replace: ['$root.Values.shutdownDeadlineMs | int64', '60000'],
    says: /killed before it has stopped/,
  },
  {
    name: 'settings in the environment of the services, where they win over the table',
    file: `${LIB}/_environment.tpl`,
    replace: ['(eq $root.Values.global.settingsIn "environment")', 'true'],
    says: /replicator: its environment overrides the table Configuration by CUSTOMER_QUEUE/,
  },
  {
    name: 'no sleep before the end',
    file: DEPLOYMENT,
    replace: [/ +lifecycle:\n.*preStop:\n.*sleep:.*\n/, ''],
    says: /customer-api: it stops answering while it is still sent requests/,
  },
  {
    name: 'a sleep that is too short',
    file: `${API}/values.yaml`,
    replace: ['preStopSeconds: 10', 'preStopSeconds: 1'],
    says: /customer-api: it stops answering while it is still sent requests/,
  },
  {
    name: 'no disruption budget',
    file: `${API}/templates/disruption-budget.yaml`,
    replace: [/.+/, ''],
    says: /customer-api: its budget counts other pods/,
  },
  {
    name: 'a disruption budget that lets no node be drained',
    file: BUDGET,
    replace: ['maxUnavailable: 1', 'maxUnavailable: 0'],
    says: /a drained node takes all or none/,
  },
  {
    name: 'a disruption budget for all at once',
    file: BUDGET,
    replace: ['maxUnavailable: 1', 'maxUnavailable: 100%'],
    says: /a drained node takes all or none/,
  },
  {
    name: 'a disruption budget that a region without readiness holds',
    file: BUDGET,
    replace: [
      'unhealthyPodEvictionPolicy: AlwaysAllow',
      'unhealthyPodEvictionPolicy: IfHealthyBudget',
    ],
    says: /keeps a node from being drained/,
  },
  {
    name: 'a disruption budget of other pods',
    file: BUDGET,
    replace: [/matchLabels:\n.*/, 'matchLabels: {app: tandem}'],
    says: /its budget counts other pods/,
  },
  {
    name: 'a rollout that ends before it begins',
    file: DEPLOYMENT,
    replace: ['maxUnavailable: 0, maxSurge: 1', 'maxUnavailable: 1, maxSurge: 0'],
    says: /a rollout takes it away/,
  },
  {
    name: 'a scaler down to nothing',
    file: `${REPLICATOR}/templates/scaled-object.yaml`,
    replace: [/minReplicaCount: .*/, 'minReplicaCount: 0'],
    says: /replicator: its last replica may be taken away/,
  },
  {
    name: 'a scaler of the other service',
    file: `${LIB}/_autoscaler.tpl`,
    replace: ['kind: Deployment, name: {{ .Chart.Name }}', 'kind: Deployment, name: replicator'],
    says: /customer-api: its scaler scales another/,
  },
  {
    name: 'a service of other pods',
    file: `${LIB}/_service.tpl`,
    replace: [/selector:\n.*/, 'selector: {app: tandem}'],
    says: /its service sends to other pods/,
  },
  {
    name: 'less memory than 500 connections take',
    file: `${API}/values.yaml`,
    replace: ['memory: 768Mi', 'memory: 512Mi'],
    says: /customer-api: its memory is limited to less than it was seen to need/,
  },
  {
    name: 'less memory than the heap that hostile messages were sent to',
    file: `${REPLICATOR}/values.yaml`,
    replace: ['memory: 512Mi', 'memory: 384Mi'],
    says: /replicator: its memory is limited to less than it was seen to need/,
  },
  {
    name: 'a limit below the request',
    file: HOOKS,
    replace: ['limits: {memory: 256Mi}', 'limits: {memory: 64Mi}'],
    says: /limited to less than it asks for/,
  },
  {
    name: 'memory without a limit',
    file: HOOKS,
    replace: ['limits: {memory: 256Mi}', 'limits: {}'],
    says: /configuration-check: its memory has no limit/,
  },
  {
    name: 'no request of a processor',
    file: HOOKS,
    replace: ['requests: {cpu: 100m, memory: 128Mi}', 'requests: {memory: 128Mi}'],
    says: /configuration-check: it asks for no processor/,
  },
  {
    name: 'a limit of the processor',
    file: `${API}/values.yaml`,
    replace: ['limits: { memory: 768Mi }', 'limits: { cpu: 250m, memory: 768Mi }'],
    says: /customer-api: its processor is throttled/,
  },
  {
    name: 'root',
    file: POD,
    replace: ['runAsNonRoot: true\nrunAsUser: 65532', 'runAsNonRoot: false\nrunAsUser: 0'],
    says: /may run as root/,
  },
  {
    name: 'no seccomp profile',
    file: POD,
    replace: ['RuntimeDefault', 'Unconfined'],
    says: /no seccomp profile/,
  },
  {
    name: 'a root that can be written',
    file: POD,
    replace: ['readOnlyRootFilesystem: true', 'readOnlyRootFilesystem: false'],
    says: /its root can be written/,
  },
  {
    name: 'privileges that can grow',
    file: POD,
    replace: ['allowPrivilegeEscalation: false', 'allowPrivilegeEscalation: true'],
    says: /escalate its privileges/,
  },
  {
    name: 'capabilities',
    file: POD,
    replace: ['drop: [ALL]', 'drop: [NET_RAW]'],
    says: /keeps capabilities/,
  },
  {
    name: 'the token of a service account',
    file: DEPLOYMENT,
    replace: ['automountServiceAccountToken: false', 'automountServiceAccountToken: true'],
    says: /token of a service account/,
  },
  {
    name: 'a job of a release without an end',
    file: HOOKS,
    replace: ['  activeDeadlineSeconds: 240\n', ''],
    says: /Job tandem-configuration: it may run without end/,
  },
  {
    name: 'a job that writes settings after helm has given up',
    file: HOOKS,
    replace: ['activeDeadlineSeconds: 240', 'activeDeadlineSeconds: 900'],
    says: /Job tandem-configuration: helm gives up while it goes on/,
  },
  {
    name: 'a job that ends before a role is known',
    file: HOOKS,
    replace: ['backoffLimit: 4', 'backoffLimit: 0'],
    says: /Job tandem-configuration-check: a role that is not known yet/,
  },
  {
    name: 'a value that cannot be, tried again and again',
    file: HOOKS,
    replace: ['values: [2]', 'values: [3]'],
    says: /Job tandem-configuration: it is tried again for a value that cannot be/,
  },
  {
    name: 'an outage that ends a release at once',
    file: HOOKS,
    replace: ['values: [2]', 'values: [2, 4]'],
    says: /Job tandem-configuration: it is not tried again for what time mends/,
  },
  {
    name: 'a policy of failures for a container that is not there',
    file: HOOKS,
    replace: ['containerName: tandem,', 'containerName: operator,'],
    says: /Job tandem-configuration: it is tried again for a value/,
  },
  {
    name: 'a policy that lets the pod fail alone',
    file: HOOKS,
    replace: ['action: FailJob', 'action: Count'],
    says: /Job tandem-configuration: it is tried again for a value/,
  },
  {
    name: 'a policy beside containers that are started again',
    file: HOOKS,
    replace: ['restartPolicy: Never', 'restartPolicy: OnFailure'],
    says: /Job tandem-configuration: its containers are started again/,
  },
];
