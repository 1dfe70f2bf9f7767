import { describe, expect, it } from 'vitest';
import { checkFields, KUBERNETES_MINORS } from '../manifests/check-fields.ts';
import { checkManifests } from '../manifests/check-manifests.ts';
import { parseManifests } from '../manifests/manifest.ts';
import { lintChart, renderChart, renderNotes } from './helm.ts';
import { PROFILES, REGIONS, RELEASES } from './releases.ts';

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
      const run = await renderChart(release);
      expect(run).toMatchObject({ exitCode: 0 });
      const manifests = parseManifests(run.stdout);
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

  it('makes monitors that the Prometheus operator knows, and lets it in, when asked to', async () => {
    const extraValues = 'global: {serviceMonitor: {enabled: true}}';
    const run = await renderChart({ region: 'east', profile: 'production' }, { extraValues });
    expect(run).toMatchObject({ exitCode: 0 });
    const manifests = parseManifests(run.stdout);
    expect(manifests.filter(({ kind }) => kind === 'ServiceMonitor')).toHaveLength(2);
    expect(run.stdout).toContain('kubernetes.io/metadata.name: monitoring');
    expect(await checkManifests(manifests)).toEqual([]);
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
