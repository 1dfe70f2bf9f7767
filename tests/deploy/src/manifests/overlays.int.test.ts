import { describe, expect, it } from 'vitest';
import { REGIONS, TABLES_PROFILE } from '../charts/releases.ts';
import { find, renderRelease } from '../charts/rendered-release.ts';
import { checkManifests } from './check-manifests.ts';
import { buildOverlay, OVERLAYS } from './kustomize.ts';
import { parseManifests } from './manifest.ts';

describe('the manifests of a cluster', () => {
  it('have an overlay for every region', () => {
    expect(OVERLAYS).toEqual(expect.arrayContaining([...REGIONS]));
  });

  it.each(OVERLAYS)('are objects that every minor and the operators know: %s', async (overlay) => {
    const run = await buildOverlay(overlay);
    expect(run).toMatchObject({ exitCode: 0 });
    expect(await checkManifests(parseManifests(run.stdout))).toEqual([]);
  });

  it.each(OVERLAYS)(
    'restrict pods and deny all traffic that is not opened: %s',
    async (overlay) => {
      const manifests = parseManifests((await buildOverlay(overlay)).stdout);
      expect(find(manifests, 'Namespace', 'tandem').metadata['labels']).toMatchObject({
        'pod-security.kubernetes.io/enforce': 'restricted',
      });
      expect(find(manifests, 'NetworkPolicy', 'default-deny')['spec']).toEqual({
        podSelector: {},
        policyTypes: ['Ingress', 'Egress'],
      });
    },
  );

  it.each(REGIONS)('take what is different in %s from one place', async (region) => {
    const manifests = parseManifests((await buildOverlay(region)).stdout);
    expect(manifests.filter(({ kind }) => kind === 'ConfigMap')).toEqual([]);
    const providers = manifests.filter(({ kind }) => kind === 'SecretProviderClass');
    expect(providers.map(({ metadata }) => metadata['name']).sort()).toEqual([
      'tandem-connections',
      'tandem-table-accounts',
    ]);
    for (const provider of providers) {
      expect(provider['spec']).toMatchObject({ parameters: { keyvaultName: `tandem-${region}` } });
    }
    for (const { metadata } of manifests) {
      expect(metadata['labels']).toMatchObject({ 'tandem/region': region });
    }
  });

  it.each(REGIONS)(
    'make the Secret that the Table endpoint of %s reads and mounts',
    async (region) => {
      const manifests = parseManifests((await buildOverlay(region)).stdout);
      const release = await renderRelease({ region, profile: TABLES_PROFILE });
      const { spec } = find(manifests, 'SecretProviderClass', 'tandem-table-accounts') as {
        spec?: { secretObjects: { secretName: string; data: { key: string }[] }[] };
      };
      const made = spec?.secretObjects.flatMap(({ secretName, data }) =>
        data.map(({ key }) => ({ name: secretName, key })),
      );
      const endpoint = JSON.stringify(find(release, 'Deployment', 'table-endpoint'));
      expect(made).toHaveLength(1);
      expect(endpoint).toContain(`"secretKeyRef":${JSON.stringify(made?.[0])}`);
      expect(endpoint).toContain('"secretProviderClass":"tandem-table-accounts"');
      const api = JSON.stringify(find(release, 'Deployment', 'customer-api'));
      expect(api).not.toContain('table-accounts');
    },
  );

  it('differ between regions in nothing else', async () => {
    const [first, second] = await Promise.all(
      REGIONS.map(async (region) => {
        const { stdout } = await buildOverlay(region);
        return stdout.replaceAll(region, 'REGION').replaceAll(/clientID: \S+/g, 'clientID: ID');
      }),
    );
    expect(first).toBe(second);
  });
});
