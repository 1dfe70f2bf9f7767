// The operator's place: that what the chart gives the console and the jobs is what tandem takes, and who reaches whom.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { get } from 'node:http';
import { createServer } from 'node:net';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Manifest } from '../manifests/manifest.ts';
import { ROOT } from '../tools/folders.ts';
import { runTool } from '../tools/run-tool.ts';
import { OPERATOR_PROFILE } from './releases.ts';
import { find, renderRelease, type Workload, workloadsOf } from './rendered-release.ts';
import { exitCodeOf } from './start-service.ts';

const RELEASE = { region: 'west', profile: OPERATOR_PROFILE };
const TANDEM = `${ROOT}apps/cli/src/tandem.mjs`;
const START_MS_MAX = 60_000;

let manifests: readonly Manifest[];
let workloads: readonly Workload[];

beforeAll(async () => {
  manifests = await renderRelease(RELEASE);
  workloads = workloadsOf(manifests);
});

function workloadOf(name: string): Workload {
  const found = workloads.find((one) => one.name === name && one.kind !== 'Service');
  if (found === undefined) throw new Error(`There is no ${name}.`);
  return found;
}

function containerOf({ pod }: Workload): { args: readonly string[]; env: Record<string, string> } {
  const [container] = pod.containers as unknown as readonly {
    readonly args: readonly string[];
    readonly env: readonly { readonly name: string; readonly value?: string }[];
  }[];
  const env = (container?.env ?? []).map(({ name, value = 'of a Secret' }) => [name, value]);
  return { args: container?.args ?? [], env: Object.fromEntries(env) as Record<string, string> };
}

describe('the console of a release', () => {
  it('starts with what the chart gives it, answers its probes, and stops when it is told to', {
    timeout: START_MS_MAX,
  }, async () => {
    const { args, env } = containerOf(workloadOf('operator'));
    const port = await freePort();
    const own = args.map((arg, index) => (args[index - 1] === '--port' ? String(port) : arg));
    const state = { XDG_STATE_HOME: `/tmp/tandem-operator-${process.pid}` };
    const child = spawn(process.execPath, [TANDEM, ...own], { env: { ...env, ...state } });
    try {
      expect(await said(child, 'Console: ')).toContain(
        'Console: https://console.customers.example.com, by sign-in at https://login.microsoftonline.com/',
      );
      const probes = JSON.stringify(workloadOf('operator').pod.containers[0]);
      expect(probes).toContain('/health/live');
      for (const path of ['/health/live', '/health/serving']) {
        expect(await statusOf(`http://127.0.0.1:${port}${path}`)).toBe(200);
      }
      expect(await statusOf(`http://127.0.0.1:${port}/`)).toBe(403);
    } finally {
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
    expect(child.signalCode).toBeNull();
  });

  it('does not start when the chart leaves something out', async () => {
    const { args, env } = containerOf(workloadOf('operator'));
    const { TANDEM_CONSOLE_CLIENT_ID: _left, ...half } = env;
    const { exitCode, stderr } = await runTool('env', [
      '-i',
      ...Object.entries(half).map(([name, value]) => `${name}=${value}`),
      process.execPath,
      TANDEM,
      ...args,
    ]);
    expect(exitCode).toBe(2);
    expect(stderr).toContain('TANDEM_CONSOLE_CLIENT_ID is not set');
  });

  it('is one process, which nothing replaces before it has ended', () => {
    expect(find(manifests, 'Deployment', 'operator')['spec']).toMatchObject({
      replicas: 1,
      strategy: { type: 'Recreate' },
    });
  });

  it('is reached by its gateway alone, and its service leads to no job', () => {
    const { ingress } = find(manifests, 'NetworkPolicy', 'operator')['spec'] as {
      readonly ingress: readonly unknown[];
    };
    expect(ingress).toEqual([
      {
        from: [
          { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'gateway' } } },
        ],
        ports: [{ port: 'http', protocol: 'TCP' }],
      },
    ]);
    const { selector } = find(manifests, 'Service', 'operator')['spec'] as {
      readonly selector: Readonly<Record<string, string>>;
    };
    const led = workloads.filter(({ labels }) =>
      Object.entries(selector).every(([name, value]) => labels[name] === value),
    );
    expect(led.map(({ kind, name }) => `${kind} ${name}`)).toEqual(['Deployment operator']);
  });

  it('reaches the status of its own replicator, which lets it in', () => {
    const { env } = containerOf(workloadOf('operator'));
    const { regions } = JSON.parse(env['TANDEM_REGIONS'] ?? '') as {
      readonly regions: readonly Readonly<Record<string, string>>[];
    };
    expect(regions.map(({ name, replicator }) => [name, replicator])).toEqual([
      ['east', undefined],
      ['west', 'http://replicator:8081'],
    ]);
    const admitted = JSON.stringify(find(manifests, 'NetworkPolicy', 'replicator')['spec']);
    expect(admitted).toContain('"values":["operator","operator-job"]');
  });
});

describe('a job of an operator', () => {
  it.each(['status', 'verify', 'doctor'])('%s is a command that there is', async (name) => {
    const { args, env } = containerOf(workloadOf(`operator-${name}`));
    // It goes as far as asking the regions, which nobody can reach from here.
    expect(await exitCodeOf(args, env)).not.toBe(2);
  });

  it('is the canary where that has a time, as who only looks, with a token for the API', async () => {
    const extraValues = 'operator: {canarySchedule: "*/5 * * * *"}';
    const timed = await renderRelease(RELEASE, { extraValues });
    expect(find(timed, 'CronJob', 'operator-canary')['spec']).toMatchObject({
      suspend: false,
      schedule: '*/5 * * * *',
      concurrencyPolicy: 'Forbid',
      // Before its next turn: for a day no other one would look.
      jobTemplate: { spec: { activeDeadlineSeconds: 240 } },
    });
    const canary = workloadsOf(timed).find(({ name }) => name === 'operator-canary')!;
    const { args, env } = containerOf(canary);
    expect(canary.pod.serviceAccountName).toBe('operator-view');
    expect(args).toEqual(['canary', '--json', '--as', 'west']);
    expect(env['TANDEM_TOKEN_SCOPE']).toMatch(/\/\.default$/);
    expect(await exitCodeOf(args, env)).toBe(3);
    const egress = (all: readonly Manifest[]) =>
      (
        find(all, 'NetworkPolicy', 'operator-job')['spec'] as {
          readonly egress: readonly unknown[];
        }
      ).egress;
    // Its own region is behind the Gateway of this very cluster.
    expect(egress(timed)).toEqual([
      ...egress(manifests),
      {
        to: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'gateway' } } }],
      },
    ]);
    expect(workloads.map(({ name }) => name)).not.toContain('operator-canary');
  });

  it('is run by hand unless it has a time, and never twice at once', async () => {
    const extraValues =
      'operator: {jobs: [{name: a, identity: view, command: [verify], schedule: "0 3 * * *"}]}';
    const timed = await renderRelease(RELEASE, { extraValues });
    const shared = { concurrencyPolicy: 'Forbid', timeZone: 'Etc/UTC' };
    expect(find(manifests, 'CronJob', 'operator-verify')['spec']).toMatchObject({
      ...shared,
      suspend: true,
    });
    expect(find(timed, 'CronJob', 'operator-a')['spec']).toMatchObject({
      ...shared,
      suspend: false,
      schedule: '0 3 * * *',
    });
    const accounts = timed.filter(({ kind }) => kind === 'ServiceAccount');
    const names = accounts.map(({ metadata }) => metadata.name);
    expect(names).toEqual(expect.arrayContaining(['operator-operate', 'operator-view']));
    expect(workloadsOf(timed).find(({ name }) => name === 'operator-a')?.pod).toMatchObject({
      serviceAccountName: 'operator-view',
    });
    expect(find(timed, 'ServiceAccount', 'operator-view').metadata['annotations']).toMatchObject({
      'azure.workload.identity/client-id': '00000000-0000-4000-8000-0000000000a7',
    });
  });
});

async function said({ stderr }: ChildProcess, part: string): Promise<string> {
  let text = '';
  for await (const chunk of stderr ?? []) {
    text += String(chunk);
    if (text.includes(part)) break;
  }
  return text;
}

async function statusOf(url: string): Promise<number | undefined> {
  const [response] = (await once(get(url), 'response')) as [
    { statusCode?: number; resume(): void },
  ];
  response.resume();
  return response.statusCode;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { readonly port: number };
  server.close();
  await once(server, 'close');
  return port;
}
