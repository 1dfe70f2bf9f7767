import { beforeAll, describe, expect, it } from 'vitest';
import { buildOverlay } from '../manifests/kustomize.ts';
import { type Manifest, parseManifests } from '../manifests/manifest.ts';
import { amountOf, findRunProblems } from './find-run-problems.ts';
import {
  OPERATOR_PROFILE,
  RELEASES,
  type Release,
  servicesOf,
  TABLES_PROFILE,
} from './releases.ts';
import { find, renderRelease, type Workload, workloadsOf } from './rendered-release.ts';

describe.each(RELEASES)('a release: $region, $profile', (release) => {
  let manifests: readonly Manifest[] = [];
  let workloads: readonly Workload[] = [];
  beforeAll(async () => {
    manifests = await renderRelease(release);
    workloads = workloadsOf(manifests);
  });

  it('runs, asks, replaces and ends its pods as they need it', () => {
    expect(workloads.map(({ kind, name }) => `${kind} ${name}`).sort()).toEqual(
      [
        ...servicesOf(release).map((name) => `Deployment ${name}`),
        ...operatorsOf(release),
        'Job tandem-configuration',
        'Job tandem-configuration-check',
        'Pod tandem-test',
      ].sort(),
    );
    expect(findRunProblems(manifests, servicesOf(release))).toEqual([]);
  });

  it('opens the network for each pod, and only to what it needs', () => {
    const policies = manifests.filter(({ kind }) => kind === 'NetworkPolicy');
    for (const { name, labels } of workloads) {
      const own = policies.filter(({ spec }) => {
        const { podSelector } = spec as { podSelector: { matchLabels: Record<string, string> } };
        const jobName = { 'batch.kubernetes.io/job-name': name };
        const known: Record<string, string> = { ...labels, ...jobName };
        return Object.entries(podSelector.matchLabels).every(
          ([key, value]) => known[key] === value,
        );
      });
      expect({ name, policies: own.length }).toEqual({ name, policies: 1 });
      expect(own[0]?.['spec']).toMatchObject({ policyTypes: ['Ingress', 'Egress'] });
      expect(JSON.stringify(own[0]?.['spec'])).toContain('169.254.169.254/32');
    }
  });

  it('keeps every secret out of the manifests', () => {
    const text = JSON.stringify(manifests);
    expect(manifests.filter(({ kind }) => kind === 'Secret')).toEqual([]);
    expect(text).not.toMatch(/SharedAccessKey|AccountKey/);
    const isIdentity = !release.profile.startsWith('connection-strings');
    // Clients of Table Storage sign with keys, whoever the pods are.
    const hasAccounts = release.profile === TABLES_PROFILE;
    // The console shows its provider that it is the client that it says.
    const hasClient = release.profile === OPERATOR_PROFILE;
    expect(text.includes('secretKeyRef')).toBe(!isIdentity || hasAccounts || hasClient);
    expect(text.includes('azure.workload.identity/client-id')).toBe(isIdentity);
  });

  it('fits into the quota of its namespace with every replica and a rollout', async () => {
    const { stdout } = await buildOverlay(release.region);
    const quota = find(parseManifests(stdout), 'ResourceQuota', 'tandem')['spec'] as QuotaSpec;
    const most = workloads.map((workload) => ({ workload, pods: podsMax(workload, manifests) }));
    const sum = (of: (resources: Required<Resources>) => string | undefined) =>
      most
        .map(({ workload, pods }) => pods * amountOf(of(resourcesOf(workload))))
        .reduce((total, one) => total + one, 0);
    expect(most.reduce((total, { pods }) => total + pods, 0)).toBeLessThanOrEqual(
      Number(quota.hard['pods']),
    );
    expect(sum(({ requests }) => requests['cpu'])).toBeLessThanOrEqual(
      amountOf(quota.hard['requests.cpu']),
    );
    expect(sum(({ requests }) => requests['memory'])).toBeLessThanOrEqual(
      amountOf(quota.hard['requests.memory']),
    );
    expect(sum(({ limits }) => limits['memory'])).toBeLessThanOrEqual(
      amountOf(quota.hard['limits.memory']),
    );
  });
});

function operatorsOf({ profile }: Release): readonly string[] {
  if (profile !== OPERATOR_PROFILE) return [];
  const jobs = ['status', 'verify', 'doctor'].map((name) => `CronJob operator-${name}`);
  return ['Deployment operator', ...jobs];
}

interface QuotaSpec {
  readonly hard: Readonly<Record<string, string>>;
}
interface Resources {
  readonly requests?: Readonly<Record<string, string>>;
  readonly limits?: Readonly<Record<string, string>>;
}

function resourcesOf({ pod }: Workload): Required<Resources> {
  const { requests = {}, limits = {} } = pod.containers[0]?.resources ?? {};
  return { requests, limits };
}

/** Replicas at their most and the one more of a rollout; one for a hook. */
function podsMax({ kind, name }: Workload, manifests: readonly Manifest[]): number {
  if (kind !== 'Deployment') return 1;
  const scalers = manifests.filter(
    ({ metadata, kind }) => metadata.name === name && /scal/i.test(kind),
  );
  const [spec] = scalers.map((one) => one['spec'] as Readonly<Record<string, number>>);
  const deployment = find(manifests, kind, name)['spec'] as { readonly replicas?: number };
  const replicas = spec?.['maxReplicas'] ?? spec?.['maxReplicaCount'] ?? deployment.replicas;
  if (replicas === undefined) throw new Error(`Nothing says how many replicas ${name} has.`);
  return replicas + 1;
}
