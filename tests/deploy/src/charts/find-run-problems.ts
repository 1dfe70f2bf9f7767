// How a pod runs, is asked, is replaced and ends: what no schema knows, and what a cluster shows only on a
// bad day. The table of faults in mistakes/ holds these rules to what they promise.
import { environmentNameOf, tandemSettings } from '@tandem/storage';
import type { Manifest } from '../manifests/manifest.ts';
import { type PodSpec, type Workload, workloadsOf } from './rendered-release.ts';

const MILLI = 1_000;
const MEBI = 2 ** 20;
const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  m: 1 / MILLI,
  Ki: 1_024,
  Mi: MEBI,
  Gi: 1_024 * MEBI,
};

/** Returns what a quantity such as `250m` or `8Gi` amounts to. */
export function amountOf(quantity: string | undefined): number {
  const [, digits = '', unit = ''] = /^([\d.]+)([A-Za-z]*)$/.exec(quantity ?? '') ?? [];
  const factor = UNITS[unit];
  if (digits === '' || factor === undefined) throw new Error(`No quantity: ${quantity}`);
  return Number(digits) * factor;
}

interface ServiceNeeds {
  /** How long load balancers go on sending. */
  readonly routedSeconds: number;
  /** What the service was seen to need; V8 is told nothing but the limit. */
  readonly memoryMiB: number;
}

const SERVICES: Readonly<Record<string, ServiceNeeds>> = {
  'customer-api': {
    routedSeconds: 10,
    // 567 MB with 500 connections, and 192 MiB for a million rows that it remembers.
    memoryMiB: 733,
  },
  'table-endpoint': {
    routedSeconds: 10,
    // What the customer API needs, and four times the 64 MiB of bodies.
    memoryMiB: 989,
  },
  // `pnpm hostile` gives it this heap.
  replicator: {
    routedSeconds: 0,
    memoryMiB: 512,
  },
};

const PROBES = {
  startupProbe: '/health/live',
  livenessProbe: '/health/live',
  // Of the process, not of the region: see the template.
  readinessProbe: '/health/serving',
} as const;
/** A process reads its configuration and opens its tables before it answers. */
const STARTUP_SECONDS_MIN = 30;
const TIMEOUT_SECONDS_MIN = 2;

/** Returns what is wrong with how the pods of a rendered release run, a sentence each. */
export function findRunProblems(
  manifests: readonly Manifest[],
  services: readonly string[] = ['customer-api', 'replicator'],
): readonly string[] {
  const workloads = workloadsOf(manifests);
  return [
    ...workloads.flatMap((one) =>
      prefixed(one, [...restrictionProblems(one), ...resourceProblems(one)]),
    ),
    ...manifests.flatMap(jobProblems),
    ...services.flatMap((name) => {
      const needs = SERVICES[name];
      if (needs === undefined) return [`Nobody knows what ${name} needs.`];
      const own = workloads.find((one) => one.kind === 'Deployment' && one.name === name);
      if (own === undefined) return [`There is no Deployment ${name}.`];
      return prefixed(own, [
        ...settingProblems(own),
        ...probeProblems(own),
        ...endProblems(own, needs),
        ...replacementProblems(own, manifests),
      ]);
    }),
  ];
}

function prefixed({ kind, name }: Workload, problems: readonly string[]): readonly string[] {
  return problems.map((problem) => `${kind} ${name}: ${problem}`);
}

/** Returns the sentences of the rules that do not hold. */
function broken(rules: Readonly<Record<string, boolean>>): readonly string[] {
  return Object.keys(rules).filter((sentence) => rules[sentence] === false);
}

function restrictionProblems({ pod }: Workload): readonly string[] {
  const whole = pod.securityContext ?? {};
  const { type } = (whole['seccompProfile'] ?? {}) as { readonly type?: string };
  return [
    ...broken({
      'it may run as root': whole['runAsNonRoot'] === true && Number(whole['runAsUser']) > 0,
      'it has no seccomp profile': type === 'RuntimeDefault',
      'it has the token of a service account': pod.automountServiceAccountToken === false,
    }),
    ...pod.containers.flatMap(({ securityContext: own = {} }) => {
      const { drop } = (own['capabilities'] ?? {}) as { readonly drop?: readonly string[] };
      return broken({
        'it may escalate its privileges': own['allowPrivilegeEscalation'] === false,
        'its root can be written': own['readOnlyRootFilesystem'] === true,
        'it keeps capabilities': drop?.includes('ALL') === true,
      });
    }),
  ];
}

const SETTINGS = new Set(Object.keys(tandemSettings).map(environmentNameOf));

/** A variable would win over what an operator sets, unseen by him. */
function settingProblems({ pod }: Workload): readonly string[] {
  const names = pod.containers.flatMap(({ env = [] }) => env.map(({ name }) => name));
  return names
    .filter((name) => SETTINGS.has(name))
    .map((name) => `its environment overrides the table Configuration by ${name}`);
}

function resourceProblems({ name, pod }: Workload): readonly string[] {
  return pod.containers.flatMap(({ resources }) => {
    const { requests = {}, limits = {} } = resources ?? {};
    if (requests['cpu'] === undefined || requests['memory'] === undefined) {
      return ['it asks for no processor or no memory'];
    }
    if (limits['memory'] === undefined) return ['its memory has no limit'];
    const limitMiB = amountOf(limits['memory']) / MEBI;
    return broken({
      'its processor is throttled': limits['cpu'] === undefined,
      'its memory is limited to less than it asks for':
        amountOf(limits['memory']) >= amountOf(requests['memory']),
      'its memory is limited to less than it was seen to need':
        limitMiB >= (SERVICES[name]?.memoryMiB ?? 0),
    });
  });
}

function probeProblems({ pod }: Workload): readonly string[] {
  const [container] = pod.containers;
  const patienceSeconds = (probe: keyof typeof PROBES): number => {
    const { periodSeconds = 10, failureThreshold = 3 } = container?.[probe] ?? {};
    return periodSeconds * failureThreshold;
  };
  return [
    ...Object.entries(PROBES).flatMap(([name, path]) => {
      const probe = container?.[name as keyof typeof PROBES];
      return broken({
        [`its ${name} does not ask ${path}`]: probe?.httpGet?.path === path,
        [`its ${name} asks another port`]: probe?.httpGet?.port === 'http',
        [`its ${name} is impatient`]: (probe?.timeoutSeconds ?? 1) >= TIMEOUT_SECONDS_MIN,
        [`its ${name} takes one lost answer for the end`]: (probe?.failureThreshold ?? 3) > 1,
      });
    }),
    ...broken({
      'it is ended before it has started': patienceSeconds('startupProbe') >= STARTUP_SECONDS_MIN,
      // Taken out of the load balancer first, and only then started again.
      'it is ended before it is taken out':
        patienceSeconds('livenessProbe') > patienceSeconds('readinessProbe'),
    }),
  ];
}

function endProblems({ pod }: Workload, needs: ServiceNeeds): readonly string[] {
  const [container] = pod.containers;
  const told = container?.env?.find(({ name }) => name === 'SHUTDOWN_DEADLINE_MS')?.value;
  const preStopSeconds = container?.lifecycle?.preStop?.sleep?.seconds ?? 0;
  return broken({
    'it stops answering while it is still sent requests': preStopSeconds >= needs.routedSeconds,
    'it is killed before it has stopped':
      (pod.terminationGracePeriodSeconds ?? 30) > preStopSeconds + Number(told) / MILLI,
  });
}

interface JobSpec {
  readonly backoffLimit?: number;
  readonly activeDeadlineSeconds?: number;
  readonly podFailurePolicy?: { readonly rules: readonly FailureRule[] };
  readonly template: { readonly spec: PodSpec };
}

interface FailureRule {
  readonly action: string;
  readonly onExitCodes?: {
    readonly containerName?: string;
    readonly operator: string;
    readonly values: readonly number[];
  };
}

/** As `helm` has it; nobody who releases names another one for hooks alone. */
const HOOK_SECONDS_MAX = 300;
/** How `tandem` ends for what no time mends. */
const EXIT_CODE_USAGE = 2;

/** How a job ends, and whether it is tried again where that helps, and only there. */
function jobProblems(manifest: Manifest): readonly string[] {
  const { kind, metadata } = manifest;
  if (kind !== 'Job' && kind !== 'CronJob') return [];
  const spec = manifest['spec'] as JobSpec & { readonly jobTemplate?: { readonly spec: JobSpec } };
  const job = spec.jobTemplate?.spec ?? spec;
  const { activeDeadlineSeconds: seconds = 0, backoffLimit = 6, podFailurePolicy } = job;
  const { containers, restartPolicy } = job.template.spec;
  const isHook = JSON.stringify(metadata['annotations'] ?? {}).includes('helm.sh/hook');
  const isTandem = containers.some(({ name }) => name === 'tandem');
  const ends = (podFailurePolicy?.rules ?? []).filter(
    ({ action, onExitCodes }) =>
      action === 'FailJob' &&
      onExitCodes?.operator === 'In' &&
      containers.some(({ name }) => name === onExitCodes.containerName),
  );
  const codes = ends.flatMap(({ onExitCodes }) => onExitCodes?.values ?? []);
  return broken({
    'it may run without end': seconds > 0,
    'helm gives up while it goes on': !isHook || seconds < HOOK_SECONDS_MAX,
    'a role that is not known yet ends the release': !isHook || backoffLimit > 0,
    'it says again what it has found': isHook || backoffLimit === 0,
    'it is tried again for a value that cannot be':
      !isHook || !isTandem || codes.includes(EXIT_CODE_USAGE),
    'it is not tried again for what time mends': codes.every((code) => code === EXIT_CODE_USAGE),
    // The API server takes a policy of failures beside no other.
    'its containers are started again, unseen by its limits': restartPolicy === 'Never',
  }).map((problem) => `${kind} ${metadata.name}: ${problem}`);
}

interface Selected {
  readonly selector?: { readonly matchLabels?: Labels } & Labels;
  readonly maxUnavailable?: number;
  readonly unhealthyPodEvictionPolicy?: string;
  readonly scaleTargetRef?: { readonly kind?: string; readonly name?: string };
  readonly minReplicas?: number;
  readonly minReplicaCount?: number;
  readonly replicas?: number;
  readonly strategy?: { readonly rollingUpdate?: { readonly maxUnavailable?: number } };
}
type Labels = Readonly<Record<string, unknown>>;

function replacementProblems(
  { name, labels }: Workload,
  manifests: readonly Manifest[],
): readonly string[] {
  const specOf = (kinds: readonly string[]): Selected | undefined =>
    manifests.find((one) => kinds.includes(one.kind) && one.metadata.name === name)?.['spec'] as
      | Selected
      | undefined;
  const selects = (wanted: Labels | undefined): boolean =>
    wanted !== undefined && Object.entries(wanted).every(([key, value]) => labels[key] === value);
  const deployment = specOf(['Deployment']);
  const budget = specOf(['PodDisruptionBudget']);
  const scaler = specOf(['HorizontalPodAutoscaler', 'ScaledObject']);
  const least = scaler?.minReplicas ?? scaler?.minReplicaCount ?? deployment?.replicas ?? 0;
  return broken({
    'its service sends to other pods': selects(specOf(['Service'])?.selector),
    'its budget counts other pods': selects(budget?.selector?.matchLabels),
    'a drained node takes all or none of it': budget?.maxUnavailable === 1,
    'a region that catches up keeps a node from being drained':
      budget?.unhealthyPodEvictionPolicy === 'AlwaysAllow',
    'a rollout takes it away': deployment?.strategy?.rollingUpdate?.maxUnavailable === 0,
    'its last replica may be taken away': least > 0,
    'its scaler scales another': scaler === undefined || scaler.scaleTargetRef?.name === name,
  });
}
