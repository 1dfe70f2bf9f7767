import { describe, expect, it } from 'vitest';
import { REGIONS } from '../charts/releases.ts';
import { find } from '../charts/rendered-release.ts';
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
    const [provider] = manifests.filter(({ kind }) => kind === 'SecretProviderClass');
    expect(provider?.['spec']).toMatchObject({ parameters: { keyvaultName: `tandem-${region}` } });
    for (const { metadata } of manifests) {
      expect(metadata['labels']).toMatchObject({ 'tandem/region': region });
    }
  });

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
