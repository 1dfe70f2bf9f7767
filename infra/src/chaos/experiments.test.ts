import { describe, expect, it } from 'vitest';
import { buildExample } from '../testing/build-example.ts';
import type { AskedResource } from '../testing/mock-deployment.ts';
import { CONTAINER_APPS } from '../testing/variants.ts';

describe('experiments of chaos', () => {
  const FAULTS = {
    'queue-disabled': [
      'Microsoft.ServiceBus/namespaces Microsoft-ServiceBus ChangeQueueState-1.0',
      [
        'urn:csci:microsoft:serviceBus:changeQueueState/1.0',
        'urn:csci:microsoft:chaosStudio:timedDelay/1.0',
        'urn:csci:microsoft:serviceBus:changeQueueState/1.0',
      ],
    ],
    'storage-blocked': [
      'Microsoft.Network/networkSecurityGroups Microsoft-NetworkSecurityGroup SecurityRule-1.0',
      ['urn:csci:microsoft:networkSecurityGroup:securityRule/1.0'],
    ],
    'nodes-killed': [
      'Microsoft.Compute/virtualMachineScaleSets Microsoft-VirtualMachineScaleSet Shutdown-2.0',
      ['urn:csci:microsoft:virtualMachineScaleSet:shutdown/2.0'],
    ],
    'clock-moved': [
      'Microsoft.ContainerService/managedClusters Microsoft-AzureKubernetesServiceChaosMesh TimeChaos-2.2',
      ['urn:csci:microsoft:azureKubernetesServiceChaosMesh:timeChaos/2.2'],
    ],
  } as const;
  const CHAOS = { chaos: { region: 'west', nodeScaleSet: 'aks-services-12345678-vmss' } };

  interface ExperimentInputs {
    readonly properties: {
      readonly selectors: readonly { readonly targets: readonly { readonly id: string }[] }[];
      readonly steps: readonly {
        readonly branches: readonly { readonly actions: readonly Action[] }[];
      }[];
    };
  }
  interface Action {
    readonly name: string;
    readonly type: string;
    readonly duration?: string;
    readonly parameters?: readonly { readonly key: string; readonly value: string }[];
  }

  const experimentsIn = (asked: readonly AskedResource[]) =>
    asked.filter(({ type }) => type === 'azure-native:chaos:Experiment');
  const actionsOf = ({ inputs }: AskedResource) =>
    (inputs as unknown as ExperimentInputs).properties.steps.flatMap(({ branches }) =>
      branches.flatMap(({ actions }) => actions),
    );
  const drillOf = ({ name }: AskedResource) =>
    name.replace(/^tandem-west-chaos-|-(?:experiment|capability|target)$/g, '');

  it('are not there unless a stack asks for them', async () => {
    const { asked } = await buildExample();
    expect(asked.filter(({ type }) => /:chaos:|NetworkSecurityGroup/.test(type))).toEqual([]);
  });

  it('are those of the runbook, on one region, each with the faults that Microsoft documents', async () => {
    const { asked } = await buildExample(CHAOS);
    const found = Object.fromEntries(
      experimentsIn(asked).map((one) => {
        const own = asked.find(
          (other) => other.type.endsWith(':chaos:Capability') && drillOf(other) === drillOf(one),
        )?.inputs;
        const [provider, kind, target, capability] = [
          'parentProviderNamespace',
          'parentResourceType',
          'targetName',
          'capabilityName',
        ].map((name) => String(own?.[name]));
        const text = `${provider}/${kind} ${target} ${capability}`;
        return [drillOf(one), [text, actionsOf(one).map(({ name }) => name)]];
      }),
    );
    expect(found).toEqual(FAULTS);
    expect(asked.some(({ name }) => name.startsWith('tandem-east-chaos'))).toBe(false);
  });

  it('end by themselves: what is not taken back at the end of its time is undone by the last step', async () => {
    const { asked } = await buildExample({ chaos: { ...CHAOS.chaos, minutes: 7 } });
    for (const experiment of experimentsIn(asked)) {
      const actions = actionsOf(experiment);
      expect(
        actions.filter(({ type }) => type !== 'discrete').map(({ duration }) => duration),
      ).toEqual(['PT7M']);
      const states = actions.flatMap(({ parameters = [] }) =>
        parameters.flatMap(({ key, value }) => (key === 'desiredState' ? [value] : [])),
      );
      expect(states).toEqual(
        drillOf(experiment) === 'queue-disabled' ? ['Disabled', 'Active'] : [],
      );
    }
  });

  it('may each do their own harm and no other, and close the way to the account alone', async () => {
    const { asked } = await buildExample(CHAOS);
    const roles = asked.filter(
      ({ type, name }) => type.endsWith(':RoleAssignment') && name.includes('-chaos-'),
    );
    const scopes = roles.map(({ inputs }) => {
      const who = String(inputs['principalId']).replace('principal of tandem-west-chaos-', '');
      return `${who} on ${String(inputs['scope']).split('/').at(-1)}`;
    });
    expect(scopes.sort()).toEqual([
      'clock-moved on tandem-west-cluster',
      'clock-moved on tandem-west-cluster',
      'nodes-killed on aks-services-12345678-vmss',
      'queue-disabled on tandem-west-namespace',
      'storage-blocked on tandem-west-firewall',
    ]);
    const rule = actionsOf(experimentsIn(asked).find((one) => drillOf(one) === 'storage-blocked')!);
    expect(
      Object.fromEntries(rule[0]!.parameters!.map(({ key, value }) => [key, value])),
    ).toMatchObject({
      action: 'Deny',
      direction: 'Outbound',
      destinationAddresses: '["10.2.16.0/24"]',
      destinationPortRanges: '["443"]',
    });
    const subnets = asked.filter(({ type }) => type.endsWith('network:Subnet'));
    const guarded = subnets.filter(({ inputs }) => inputs['networkSecurityGroup'] !== undefined);
    expect(guarded.map(({ name }) => name)).toEqual(['tandem-west-workloads']);
  });

  it('of container apps are the two that need no cluster', async () => {
    const { asked } = await buildExample({ ...CONTAINER_APPS, chaos: { region: 'west' } });
    expect(experimentsIn(asked).map(drillOf).sort()).toEqual(['queue-disabled', 'storage-blocked']);
  });
});
