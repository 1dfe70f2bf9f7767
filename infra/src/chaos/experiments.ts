// The drills of docs/runbooks/chaos.md as experiments of Azure Chaos Studio, for one region of a stack that asks for them. Made, they
// do nothing: a person starts one, and it ends by itself. Names of targets, capabilities and faults are those of the library
// of faults that Microsoft documents; nothing here would tell a wrong one, so the tests hold all of them in one list.
import { PrincipalType, RoleAssignment } from '@pulumi/azure-native/authorization/index.js';
import {
  Capability,
  Experiment,
  FilterType,
  ManagedServiceIdentityType,
  SelectorType,
  Target,
  TargetReferenceType,
} from '@pulumi/azure-native/chaos/index.js';
import type { ManagedCluster } from '@pulumi/azure-native/containerservice/index.js';
import { UserAssignedIdentity } from '@pulumi/azure-native/managedidentity/index.js';
import type { Input } from '@pulumi/pulumi';
import { DATA_ROLES, NETWORK_CONTRIBUTOR, roleDefinitionId } from '../access/roles.ts';
import type { Region } from '../region/build-region.ts';
import { placeOf, prefixOf } from '../region/region-context.ts';

/** What an experiment may do beyond the data plane, each on its one target. */
const VIRTUAL_MACHINE_CONTRIBUTOR = '9980e02c-c2be-4d73-94e8-173b1dc7cf3c';
/** Chaos Mesh is told by objects of the cluster, whose members get in by name alone. */
const CLUSTER_ROLES = [
  '4abbcc35-e782-43d8-92c5-2d3f1bd2253f',
  '3498e952-d568-435e-9b2c-8d77e338d7f7',
];
/** The first that the nodes of a zone are in. */
const KILLED_ZONE = '1';
/** Five times what `Clock.DriftMsMax` allows by default. */
const CLOCK_OFFSET = '5m';
/** Before every rule that a network has of its own. */
const FIRST_PRIORITY = '100';

interface Fault {
  readonly urn: string;
  readonly parameters: Readonly<Record<string, string>>;
}

/** Goes on until its duration is over, and is taken back then; or is done at once, and undone by another. */
type Course = { readonly lasting: Fault } | { readonly begin: Fault; readonly end: Fault };

interface Drill {
  /** As the runbook calls it. */
  readonly name: string;
  readonly target: string;
  readonly capability: string;
  /** The resource that it is done to: its provider, its type, its name and where it is. */
  readonly on: {
    readonly provider: string;
    readonly type: string;
    readonly name: Input<string>;
    readonly group: Input<string>;
    readonly id: Input<string>;
  };
  readonly roles: readonly string[];
  readonly course: Course;
  /** Only what is in it. */
  readonly zone?: string;
}

/** The experiments of the region, which one that the stack names has, and no other. */
export function createExperiments(region: Region, cluster?: ManagedCluster): void {
  const { chaos } = region.context.settings;
  if (chaos?.region !== region.context.region.name) return;
  const drills = [
    disableQueue(region),
    blockStorage(region),
    ...(cluster === undefined ? [] : [moveClock(cluster, region)]),
    ...(cluster === undefined || chaos.nodeScaleSet === undefined
      ? []
      : [killNodes(cluster, chaos.nodeScaleSet)]),
  ];
  for (const drill of drills) createExperiment(region, drill, `PT${chaos.minutes}M`);
}

function createExperiment({ context }: Region, drill: Drill, duration: string): void {
  const { provider, type, name, group, id } = drill.on;
  const prefix = `${prefixOf(context)}-chaos-${drill.name}`;
  const parent = {
    resourceGroupName: group,
    parentProviderNamespace: provider,
    parentResourceType: type,
    parentResourceName: name,
  };
  const target = new Target(`${prefix}-target`, {
    ...parent,
    targetName: drill.target,
    location: context.region.location,
    properties: {},
  });
  const capability = new Capability(
    `${prefix}-capability`,
    { ...parent, targetName: drill.target, capabilityName: drill.capability },
    { dependsOn: [target] },
  );
  // One for each, which can do its own harm and no other.
  const identity = new UserAssignedIdentity(prefix, placeOf(context));
  for (const [index, role] of drill.roles.entries()) {
    new RoleAssignment(`${prefix}-role-${index}`, {
      principalId: identity.principalId,
      principalType: PrincipalType.ServicePrincipal,
      roleDefinitionId: roleDefinitionId(role),
      scope: id,
    });
  }
  new Experiment(
    `${prefix}-experiment`,
    {
      ...placeOf(context),
      experimentName: prefix,
      identity: {
        type: ManagedServiceIdentityType.UserAssigned,
        userAssignedIdentities: [identity.id],
      },
      properties: {
        selectors: [
          {
            type: SelectorType.List,
            id: drill.name,
            targets: [{ type: TargetReferenceType.ChaosTarget, id: target.id }],
            ...(drill.zone !== undefined && {
              filter: { type: FilterType.Simple, parameters: { zones: [drill.zone] } },
            }),
          },
        ],
        steps: [
          {
            name: drill.name,
            branches: [{ name: drill.name, actions: actionsOf(drill, duration) }],
          },
        ],
      },
    },
    { dependsOn: [capability] },
  );
}

function actionsOf({ name: selectorId, course }: Drill, duration: string) {
  const done = ({ urn: name, parameters }: Fault) => ({
    name,
    selectorId,
    parameters: Object.entries(parameters).map(([key, value]) => ({ key, value })),
  });
  if ('lasting' in course)
    return [{ ...done(course.lasting), type: 'continuous', duration } as const];
  return [
    { ...done(course.begin), type: 'discrete' } as const,
    { name: 'urn:csci:microsoft:chaosStudio:timedDelay/1.0', type: 'delay', duration } as const,
    { ...done(course.end), type: 'discrete' } as const,
  ];
}

/** There is no fault of a whole namespace: its only queue takes and gives nothing. */
function disableQueue({ context, data }: Region): Drill {
  const urn = 'urn:csci:microsoft:serviceBus:changeQueueState/1.0';
  const queues = JSON.stringify([context.settings.queue]);
  return {
    name: 'queue-disabled',
    target: 'Microsoft-ServiceBus',
    capability: 'ChangeQueueState-1.0',
    on: {
      provider: 'Microsoft.ServiceBus',
      type: 'namespaces',
      name: data.namespace.name,
      group: context.group.name,
      id: data.namespace.id,
    },
    roles: [DATA_ROLES.serviceBusDataOwner],
    course: {
      begin: { urn, parameters: { queues, desiredState: 'Disabled' } },
      end: { urn, parameters: { queues, desiredState: 'Active' } },
    },
  };
}

/** There is no fault of the firewall of an account: the way to its private address is closed, to that of the vault with it. */
function blockStorage({ context, network }: Region): Drill {
  const { firewall } = network;
  if (firewall === undefined) throw new Error('A region with experiments has a firewall.');
  return {
    name: 'storage-blocked',
    target: 'Microsoft-NetworkSecurityGroup',
    capability: 'SecurityRule-1.0',
    on: {
      provider: 'Microsoft.Network',
      type: 'networkSecurityGroups',
      name: firewall.name,
      group: context.group.name,
      id: firewall.id,
    },
    roles: [NETWORK_CONTRIBUTOR],
    course: {
      lasting: {
        urn: 'urn:csci:microsoft:networkSecurityGroup:securityRule/1.0',
        parameters: {
          name: 'chaos-storage-blocked',
          priority: FIRST_PRIORITY,
          direction: 'Outbound',
          action: 'Deny',
          protocol: 'TCP',
          sourceAddresses: JSON.stringify([network.workloadsPrefix]),
          sourcePortRanges: JSON.stringify(['0-65535']),
          destinationAddresses: JSON.stringify([network.endpointsPrefix]),
          destinationPortRanges: JSON.stringify(['443']),
        },
      },
    },
  };
}

/** All nodes of a zone at once; autoscaling makes others meanwhile. */
function killNodes(cluster: ManagedCluster, scaleSet: string): Drill {
  const group = cluster.nodeResourceGroup.apply((name) => name ?? '');
  const type = 'virtualMachineScaleSets';
  return {
    name: 'nodes-killed',
    target: 'Microsoft-VirtualMachineScaleSet',
    capability: 'Shutdown-2.0',
    on: {
      provider: 'Microsoft.Compute',
      type,
      name: scaleSet,
      group,
      id: cluster.id.apply((id) =>
        group.apply(
          (name) =>
            `${id.split('/resourceGroups/')[0]}/resourceGroups/${name}/providers/Microsoft.Compute/${type}/${scaleSet}`,
        ),
      ),
    },
    roles: [VIRTUAL_MACHINE_CONTRIBUTOR],
    zone: KILLED_ZONE,
    course: {
      lasting: {
        urn: 'urn:csci:microsoft:virtualMachineScaleSet:shutdown/2.0',
        parameters: { abruptShutdown: 'true' },
      },
    },
  };
}

/**
 * The fault that sets the clock of a machine is for Windows alone: Chaos Mesh moves that of the processes, here of all replicators of
 * the region, and has to be installed in the cluster first.
 */
function moveClock(cluster: ManagedCluster, { context }: Region): Drill {
  return {
    name: 'clock-moved',
    target: 'Microsoft-AzureKubernetesServiceChaosMesh',
    capability: 'TimeChaos-2.2',
    on: {
      provider: 'Microsoft.ContainerService',
      type: 'managedClusters',
      name: cluster.name,
      group: context.group.name,
      id: cluster.id,
    },
    roles: CLUSTER_ROLES,
    course: {
      lasting: {
        urn: 'urn:csci:microsoft:azureKubernetesServiceChaosMesh:timeChaos/2.2',
        parameters: {
          jsonSpec: JSON.stringify({
            mode: 'all',
            selector: {
              namespaces: ['tandem'],
              labelSelectors: { 'app.kubernetes.io/name': 'replicator' },
            },
            timeOffset: CLOCK_OFFSET,
          }),
        },
      },
    },
  };
}
