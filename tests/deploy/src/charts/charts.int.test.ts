import { describe, expect, it } from 'vitest';
import { checkFields, KUBERNETES_MINORS } from '../manifests/check-fields.ts';
import { checkManifests } from '../manifests/check-manifests.ts';
import { parseManifests } from '../manifests/manifest.ts';
import { lintChart, renderChart, renderNotes } from './helm.ts';
import { PROFILES, REGIONS, RELEASES, servicesOf, TABLES_PROFILE } from './releases.ts';
import { find, renderRelease, workloadsOf } from './rendered-release.ts';

interface PolicySpec {
  readonly egress: readonly unknown[];
  readonly ingress: readonly {
    readonly from: unknown;
    readonly ports: readonly { readonly port: string }[];
  }[];
}

/** It has every service. */
const WITH_TABLES = { region: 'east', profile: TABLES_PROFILE };
const COLLECTOR = '{endpoint: "http://otel-collector.observe:4318", toNamespace: observe}';

function renderTraced(isMonitored: boolean): ReturnType<typeof renderRelease> {
  const extraValues = `global: {otlp: ${COLLECTOR}, serviceMonitor: {enabled: ${isMonitored}}}`;
  return renderRelease(WITH_TABLES, { extraValues });
}

function renderMonitored(): ReturnType<typeof renderRelease> {
  const extraValues = 'global: {serviceMonitor: {enabled: true, labels: {release: prometheus}}}';
  return renderRelease(WITH_TABLES, { extraValues });
}

describe('the chart of a region', () => {
  it('is checked for more than one region and profile', () => {
    expect(REGIONS).toEqual(['east', 'west']);
    expect(PROFILES.length).toBeGreaterThanOrEqual(4);
  });

  it.each(RELEASES)('passes the strict lint: $region, $profile', async (release) => {
    const run = await lintChart(release);
    expect(run).toMatchObject({ exitCode: 0 });
    expect(run.stdout).toContain('1 chart(s) linted, 0 chart(s) failed');
  });

  it.each(RELEASES)(
    'makes objects that every Kubernetes minor and the operators know: $region, $profile',
    async (release) => {
      const manifests = await renderRelease(release);
      expect(manifests.length).toBeGreaterThan(15);
      expect(await checkManifests(manifests)).toEqual([]);
    },
  );

  it.each(KUBERNETES_MINORS)('does not depend on a newer Kubernetes than %s', async (minor) => {
    const release = { region: 'east', profile: 'trial' };
    const run = await renderChart(release, { kubeMinor: minor });
    expect(run).toMatchObject({ exitCode: 0 });
    const problems = parseManifests(run.stdout).map((manifest) => checkFields(manifest, minor));
    expect((await Promise.all(problems)).flat()).toEqual([]);
  });

  it('makes monitors that the Prometheus operator knows, when asked to', async () => {
    const monitors = (await renderMonitored()).filter(({ kind }) => kind === 'ServiceMonitor');
    expect(monitors.map(({ metadata }) => metadata.name)).toEqual(servicesOf(WITH_TABLES));
    expect(await checkManifests(await renderMonitored())).toEqual([]);
  });

  it('opens metrics to the collector alone, and nothing else to it', async () => {
    const manifests = await renderMonitored();
    for (const name of servicesOf(WITH_TABLES)) {
      const { ingress } = find(manifests, 'NetworkPolicy', name)['spec'] as PolicySpec;
      const collector = JSON.stringify({ 'kubernetes.io/metadata.name': 'monitoring' });
      const admitted = ingress.filter(({ from }) => JSON.stringify(from).includes(collector));
      expect(admitted.map(({ ports }) => ports.map(({ port }) => port))).toEqual([['metrics']]);
      expect(ingress.filter(({ ports }) => ports.some(({ port }) => port === 'metrics'))).toEqual(
        admitted,
      );
    }
  });

  it('opens no port for metrics unless asked to', async () => {
    const run = await renderChart({ region: 'east', profile: 'production' });
    expect(run.stdout).not.toMatch(/name: metrics|OTEL_/);
  });

  it.each([
    { isMonitored: false, metrics: 'otlp' },
    { isMonitored: true, metrics: 'prometheus' },
  ])(
    'sends traces to a collector, and metrics one way: $metrics',
    async ({ isMonitored, metrics }) => {
      const manifests = await renderTraced(isMonitored);
      expect(await checkManifests(manifests)).toEqual([]);
      const deployments = workloadsOf(manifests).filter(({ kind }) => kind === 'Deployment');
      expect(deployments).toHaveLength(servicesOf(WITH_TABLES).length);
      for (const { pod } of deployments) {
        const env = pod.containers[0]?.env?.filter(({ name }) => name.startsWith('OTEL_')) ?? [];
        expect(new Set(env.map(({ name }) => name)).size).toBe(env.length);
        expect(Object.fromEntries(env.map(({ name, value }) => [name, value]))).toMatchObject({
          OTEL_EXPORTER_OTLP_ENDPOINT: 'http://otel-collector.observe:4318',
          OTEL_TRACES_EXPORTER: 'otlp',
          OTEL_TRACES_SAMPLER_ARG: '0.1',
          OTEL_METRICS_EXPORTER: metrics,
        });
      }
    },
  );

  it('opens the way to the collector where there is one, and to its port alone', async () => {
    const traced = await renderTraced(false);
    const plain = await renderRelease(WITH_TABLES);
    const to = [
      { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'observe' } } },
    ];
    for (const name of servicesOf(WITH_TABLES)) {
      const [open, closed] = [traced, plain].map(
        (manifests) => (find(manifests, 'NetworkPolicy', name)['spec'] as PolicySpec).egress,
      );
      const rule = { to, ports: [{ port: 4318, protocol: 'TCP' }] };
      expect(open).toEqual([...(closed ?? []), rule]);
    }
  });

  it('refuses a Kubernetes that is too old to stop a pod gracefully', async () => {
    const release = { region: 'east', profile: 'trial' };
    const run = await renderChart(release, { kubeMinor: '1.28' });
    expect(run.exitCode).not.toBe(0);
    expect(run.stderr).toContain('kubeVersion');
  });

  it.each(RELEASES)('says how to see that it works: $region, $profile', async (release) => {
    const run = await renderNotes(release);
    expect(run).toMatchObject({ exitCode: 0 });
    const [, notes = ''] = run.stdout.split('NOTES:');
    expect(notes).toContain(`curl -i https://${release.region}.customers.example.com/health/ready`);
    expect(notes).toContain('helm -n tandem test tandem --logs');
    expect(notes).not.toContain('<no value>');
  });
});
