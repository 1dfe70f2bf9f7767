import { describe, expect, it } from 'vitest';
import { buildExample } from '../testing/build-example.ts';
import { EXAMPLE, jobsOf } from '../testing/mock-deployment.ts';
import { CONSOLE, CONTAINER_APPS, OPERATED } from '../testing/variants.ts';

describe("the operator's place on container apps", () => {
  const build = (changes: object = {}) =>
    buildExample({ ...CONTAINER_APPS, ...OPERATED, ...changes });
  const consoleOf = async (changes: object = {}) => {
    const { asked } = await build(changes);
    const found = asked.find(
      ({ type, name }) => type.endsWith(':ContainerApp') && name === 'tandem-east-console',
    );
    return found?.inputs as unknown as ConsoleInputs;
  };

  it('is one process, reached by https from the networks of people alone', async () => {
    const { configuration, template } = await consoleOf();
    expect(configuration.ingress).toMatchObject({
      external: true,
      allowInsecure: false,
      targetPort: 8_083,
      ipSecurityRestrictions: [
        { action: 'Allow', ipAddressRange: '203.0.113.0/24' },
        { action: 'Allow', ipAddressRange: '198.51.100.7/32' },
      ],
    });
    expect(template.scale).toEqual({ minReplicas: 1, maxReplicas: 1 });
    expect(template.volumes).toEqual([{ name: 'state', storageType: 'EmptyDir' }]);
  });

  it('has the secret of its client from the vault, and no identity that reads the vault by itself', async () => {
    const { configuration, template } = await consoleOf();
    expect(configuration.secrets).toEqual([
      {
        name: 'client-secret',
        keyVaultUrl: 'https://tandem-east.vault.azure.net/secrets/console-client',
        identity: expect.stringContaining('tandem-east-secrets'),
      },
    ]);
    expect(configuration.identitySettings).toEqual([
      { identity: expect.stringContaining('tandem-east-secrets'), lifecycle: 'None' },
    ]);
    const [container] = template.containers;
    expect(container?.env).toContainEqual({
      name: 'TANDEM_CONSOLE_CLIENT_SECRET',
      secretRef: 'client-secret',
    });
    const { secret: _none, ...publicClient } = CONSOLE;
    const bare = await consoleOf({ console: publicClient });
    expect(JSON.stringify(bare)).not.toMatch(/CLIENT_SECRET|-secrets/);
  });

  it('acts as who looks where the stack says so', async () => {
    const { identity } = await consoleOf({ console: { ...CONSOLE, identity: 'view' } });
    expect(JSON.stringify(identity)).toContain('tandem-east-viewer');
    expect(JSON.stringify(identity)).not.toContain('tandem-east-operator');
  });

  it('has commands that are started by hand and never again by themselves, and the canary by the clock', async () => {
    const { asked } = await build();
    const jobs = jobsOf(asked).filter(({ name }) => name.startsWith('tandem-east'));
    const told = jobs.map(({ name, inputs }) => {
      const { configuration, identity, jobName } = inputs as unknown as JobInputs;
      expect(jobName.length).toBeLessThanOrEqual(32);
      const who = /tandem-east-\w+/.exec(JSON.stringify(identity))?.[0];
      const cron = configuration.scheduleTriggerConfig?.cronExpression ?? 'by hand';
      return `${name} as ${who} ${cron}, again ${configuration.replicaRetryLimit}`;
    });
    expect(told.sort()).toEqual([
      'tandem-east-canary as tandem-east-viewer */10 * * * *, again 0',
      'tandem-east-doctor as tandem-east-operator by hand, again 0',
      'tandem-east-settings as tandem-east-replicator by hand, again 4',
      'tandem-east-status as tandem-east-operator by hand, again 0',
      'tandem-east-verify as tandem-east-operator by hand, again 0',
    ]);
  });

  it('is not there before its image can be, nor unless the stack asks', async () => {
    for (const changes of [
      { containerApps: { stage: 'platform' } },
      { operators: false, console: undefined, canary: undefined },
    ]) {
      const { asked } = await build(changes);
      const names = asked.map(({ name }) => name);
      expect(names.filter((name) => /-(?:console|verify)$/.test(name))).toEqual([]);
    }
  });

  it('has the longest names that a stack may have within what Azure takes', async () => {
    const [east, west] = EXAMPLE.regions;
    const { asked } = await build({
      project: 'abcdefghij',
      regions: [{ ...east, name: 'abcdefghijkl' }, west],
    });
    for (const { inputs } of asked) {
      for (const name of [inputs['jobName'], inputs['containerAppName']]) {
        expect(typeof name === 'string' ? name.length : 0).toBeLessThanOrEqual(32);
      }
    }
  });
});

interface ConsoleInputs {
  readonly identity: unknown;
  readonly configuration: {
    readonly ingress: unknown;
    readonly secrets: unknown;
    readonly identitySettings: unknown;
  };
  readonly template: {
    readonly containers: readonly { readonly env: readonly unknown[] }[];
    readonly scale: unknown;
    readonly volumes: unknown;
  };
}

interface JobInputs {
  readonly jobName: string;
  readonly identity: unknown;
  readonly configuration: {
    readonly scheduleTriggerConfig?: { readonly cronExpression: string };
    readonly replicaRetryLimit: number;
  };
}
