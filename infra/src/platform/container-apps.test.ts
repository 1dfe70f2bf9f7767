import { describe, expect, it } from 'vitest';
import { buildExample, valueOf } from '../testing/build-example.ts';
import { appsOf, EXAMPLE, jobsOf, namesOf } from '../testing/mock-deployment.ts';

describe('container apps, step by step', () => {
  const build = (stage: string, changes: object = {}) =>
    buildExample({ platform: 'container-apps', containerApps: { stage }, ...changes });

  it('are not made before their images can be there', async () => {
    const { asked } = await build('platform');
    expect(namesOf(asked, 'app:ContainerApp')).toEqual([]);
    expect(namesOf(asked, 'app:ManagedEnvironment')).toHaveLength(2);
    expect(namesOf(asked, 'containerregistry:Registry')).toHaveLength(1);
  });

  it('tell the records that the DNS needs, before a name is bound', async () => {
    const { asked, deployment } = await build('apps');
    const records = await valueOf(deployment.dnsRecords);
    expect(
      (records as { type: string; name: string }[]).map(({ type, name }) => `${type} ${name}`),
    ).toEqual([
      'CNAME east.customers.example.com',
      'TXT asuid.east.customers.example.com',
      'TXT asuid.customers.example.com',
      'CNAME west.customers.example.com',
      'TXT asuid.west.customers.example.com',
    ]);
    expect(namesOf(asked, 'app:ContainerApp')).toHaveLength(4);
    expect(namesOf(asked, 'app:Certificate')).toEqual([]);
    expect(JSON.stringify(asked)).not.toContain('bindingType');
  });

  it('bind both names with a certificate of the vault, none that Azure would have to issue', async () => {
    const { asked } = await build('domains');
    const bound = appsOf(asked).flatMap(({ configuration: { ingress } }) =>
      ingress ? [ingress.customDomains] : [],
    );
    expect(bound).toEqual(
      EXAMPLE.regions.map(({ name, host }) =>
        [host, EXAMPLE.publicHost].map((domain) => ({
          name: domain,
          bindingType: 'SniEnabled',
          certificateId: expect.stringContaining(`tandem-${name}-certificate`),
        })),
      ),
    );
    const certificates = asked.filter(({ type }) => type === 'azure-native:app:Certificate');
    certificates.sort((a, b) => a.name.localeCompare(b.name));
    expect(certificates.map(({ inputs }) => inputs['properties'])).toEqual(
      EXAMPLE.regions.map(({ name }) => ({
        certificateKeyVaultProperties: {
          identity: expect.stringContaining(`tandem-${name}-secrets`),
          keyVaultUrl: `https://tandem-${name}.vault.azure.net/secrets/tandem-tls`,
        },
      })),
    );
  });

  it('are one of each where the stack is small', async () => {
    const { asked } = await build('apps', { size: 'small' });
    const scales = appsOf(asked).map(({ template }) => template.scale.minReplicas);
    expect(scales).toEqual([1, 1, 1, 1]);
    expect(namesOf(asked, 'containerregistry:Replication')).toEqual([]);
  });

  it('reach every setting of a region that the charts reach', async () => {
    const [east, west] = EXAMPLE.regions;
    const { asked } = await build('apps', {
      regions: [{ ...east, logLevel: 'debug', wireVersion: 8 }, west],
    });
    const levels = appsOf(asked).map(({ template }) =>
      JSON.stringify(template).includes('"debug"'),
    );
    expect(levels).toEqual([true, true, false, false]);
    const written = jobsOf(asked).map(({ inputs }) => JSON.stringify(inputs));
    expect(written.map((text) => text.includes('MESSAGES_WIRE_VERSION'))).toEqual([true, false]);
  });

  it('send telemetry to the collector of the stack, and none without one', async () => {
    const otlp = { endpoint: 'https://collector.example.com', sampledShare: 0.5 };
    for (const { template } of appsOf((await build('apps', { otlp })).asked)) {
      const text = JSON.stringify(template);
      expect(text).toContain(
        '{"name":"OTEL_EXPORTER_OTLP_ENDPOINT","value":"https://collector.example.com"}',
      );
      expect(text).toContain('{"name":"OTEL_TRACES_SAMPLER_ARG","value":"0.5"}');
    }
    expect(JSON.stringify((await build('apps')).asked)).not.toContain('OTEL_');
  });

  it('have a job that writes their settings, as the replicator, and only when it is started', async () => {
    const { asked } = await build('apps');
    for (const { name, inputs } of jobsOf(asked)) {
      const region = name.split('-')[1];
      expect(inputs).toMatchObject({
        identity: { userAssignedIdentities: [expect.stringContaining(`${region}-replicator`)] },
        configuration: { triggerType: 'Manual', replicaTimeout: 300 },
        template: {
          containers: [{ args: ['config', 'release', '--region', region, '--apply'] }],
        },
      });
    }
    expect(jobsOf(asked)).toHaveLength(2);
    // The environment of a service would win over what an operator sets.
    const text = JSON.stringify(appsOf(asked));
    for (const variable of ['CUSTOMER_QUEUE', 'PEER', 'SERVICE_BUS_CONNECTION', 'DATA_ACCESS']) {
      expect(text).not.toContain(variable);
    }
  });
});
