// Releases whose every name looks like a number, a boolean or nothing: what is rendered must read as text in both
// versions of YAML, and be legal by the schemas of Kubernetes and of the operators.
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { checkEach } from '../manifests/check-manifests.ts';
import { type Manifest, parseManifests } from '../manifests/manifest.ts';
import { CACHE_FOLDER } from '../tools/folders.ts';
import { CHART, renderChart, renderValues } from './helm.ts';
import { drawRelease } from './odd-values.ts';
import { find } from './rendered-release.ts';

/** `ODD_VALUES=500 pnpm deploy:check odd-values` looks at more. */
const COUNT = Number(process.env['ODD_VALUES'] ?? 30);
const AT_ONCE = 2;
/** What one may take on a busy machine. */
const RELEASE_MS_MAX = 15_000;

it(`renders ${COUNT} releases with odd names to objects that an API server takes`, {
  timeout: COUNT * RELEASE_MS_MAX,
}, async () => {
  const seeds = Array.from({ length: COUNT }, (_, index) => index + 1);
  const found: { readonly seed: number; readonly manifest: Manifest }[] = [];
  const problems: string[] = [];
  const render = async (): Promise<void> => {
    for (let seed = seeds.shift(); seed !== undefined; seed = seeds.shift()) {
      const release = drawRelease(seed);
      const { exitCode, stdout, stderr } = await renderValues(release);
      if (exitCode !== 0) problems.push(`seed ${seed}: ${stderr}`);
      try {
        for (const manifest of parseManifests(stdout)) found.push({ seed, manifest });
      } catch (error) {
        problems.push(`seed ${seed}: ${String(error)}`);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, render));
  const checked = await checkEach(found.map(({ manifest }) => manifest));
  for (const [index, said] of checked.entries())
    for (const problem of said) problems.push(`seed ${found[index]?.seed}: ${problem}`);
  expect(problems).toEqual([]);
  expect(found.length).toBeGreaterThan(COUNT * 15);
});

it('takes a version with a build in it, which neither a label nor a tag may have', async () => {
  mkdirSync(CACHE_FOLDER, { recursive: true });
  const chart = mkdtempSync(join(CACHE_FOLDER, 'chart-'));
  onTestFinished(() => rmSync(chart, { recursive: true, force: true }));
  cpSync(CHART, chart, { recursive: true });
  const file = join(chart, 'Chart.yaml');
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, text.replace(/^(version|appVersion): 0\.1\.0$/gm, '$1: 0.1.0+build.7'));
  const { stdout } = await renderChart({ region: 'east', profile: 'production' }, { chart });
  const manifests = parseManifests(stdout);
  expect((await checkEach(manifests)).flat()).toEqual([]);
  expect(stdout).toContain('helm.sh/chart: "tandem-0.1.0_build.7"');
  expect(stdout).toContain('image: "tandem.azurecr.io/tandem-replicator:0.1.0_build.7"');
});

it.each([
  ['servicebus.windows.net', { cloud: 'AzurePublicCloud' }],
  ['servicebus.usgovcloudapi.net', { cloud: 'AzureUSGovernmentCloud' }],
  ['servicebus.chinacloudapi.cn', { cloud: 'AzureChinaCloud' }],
  ['servicebus.airgap.example', { cloud: 'Private', endpointSuffix: 'servicebus.airgap.example' }],
])('tells the scaler in which cloud a queue is: %s', async (suffix, expected) => {
  const extraValues = readFileSync(`${CHART}/../values.regions.yaml`, 'utf8');
  const { stdout } = await renderChart(
    { region: 'east', profile: 'production' },
    { extraValues: extraValues.replaceAll('servicebus.windows.net', suffix) },
  );
  const { triggers } = find(parseManifests(stdout), 'ScaledObject', 'replicator')['spec'] as {
    readonly triggers: readonly { readonly metadata: Readonly<Record<string, string>> }[];
  };
  const { namespace, cloud, endpointSuffix } = triggers[0]?.metadata ?? {};
  const told = { cloud, ...(endpointSuffix !== undefined && { endpointSuffix }) };
  expect({ namespace, told }).toEqual({ namespace: 'tandem-east', told: expected });
});

it('lets a controller of ingress take what the Table endpoint takes', async () => {
  const extraValues =
    'table-endpoint: {exposure: {kind: ingress, ingress: {className: nginx, tlsSecretName: tls}}}';
  const { stdout } = await renderChart({ region: 'east', profile: 'tables' }, { extraValues });
  const ingress = find(parseManifests(stdout), 'Ingress', 'table-endpoint');
  expect(ingress.metadata['annotations']).toEqual({
    'nginx.ingress.kubernetes.io/proxy-body-size': '5m',
  });
});
