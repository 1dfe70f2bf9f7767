// The emulators as Microsoft publishes them, through testcontainers' own modules, for machines that
// can pull them: E2E_AZURITE=official and E2E_SERVICE_BUS=official. The latter needs a SQL server,
// which its module starts beside it.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { AzureServiceBusContainer } from '@testcontainers/azureservicebus';
import { AzuriteContainer } from '@testcontainers/azurite';
import type { StartedTestContainer } from 'testcontainers';
import { QUEUE } from '../e2e-cluster.ts';
import { AZURITE_CERTIFICATE } from './azurite-certificate.ts';
import { type ContainerPlan, PORTS } from './container-plan.ts';
import { runLabels } from './runtime.ts';

const AZURITE = 'mcr.microsoft.com/azure-storage/azurite:3.37.0';
const SERVICE_BUS = 'mcr.microsoft.com/azure-messaging/servicebus-emulator:2.0.0';
const AZURITE_PORTS = { blob: 10_000, queue: 10_001 } as const;

export type OnCreated = (containerId: string) => Promise<void>;

class OfficialAzurite extends AzuriteContainer {
  private readonly onCreated: OnCreated;

  constructor(onCreated: OnCreated) {
    super(AZURITE);
    this.onCreated = onCreated;
    // The only signal on which it saves what it has in memory.
    this.createOpts.StopSignal = 'SIGINT';
  }

  protected override async containerCreated(containerId: string): Promise<void> {
    await this.onCreated(containerId);
  }
}

class OfficialServiceBus extends AzureServiceBusContainer {
  private readonly onCreated: OnCreated;

  constructor(onCreated: OnCreated) {
    super(SERVICE_BUS);
    this.onCreated = onCreated;
  }

  protected override async containerCreated(containerId: string): Promise<void> {
    await this.onCreated(containerId);
  }
}

export function startOfficialAzurite(
  { ports }: ContainerPlan,
  onCreated: OnCreated,
): Promise<StartedTestContainer> {
  const key = join(dirname(AZURITE_CERTIFICATE), 'azurite.key');
  return new OfficialAzurite(onCreated)
    .withBlobPort(AZURITE_PORTS.blob)
    .withQueuePort(AZURITE_PORTS.queue)
    .withTablePort({ container: PORTS.tables, host: ports[PORTS.tables] ?? 0 })
    .withSkipApiVersionCheck()
    .withSsl(readFileSync(AZURITE_CERTIFICATE, 'utf8'), readFileSync(key, 'utf8'))
    .withLabels(runLabels())
    .withAutoRemove(false)
    .start();
}

export function startOfficialServiceBus(
  { ports }: ContainerPlan,
  onCreated: OnCreated,
): Promise<StartedTestContainer> {
  return new OfficialServiceBus(onCreated)
    .acceptLicense()
    .withConfig(JSON.stringify(serviceBusConfig()))
    .withExposedPorts(
      { container: PORTS.amqp, host: ports[PORTS.amqp] ?? 0 },
      { container: PORTS.admin, host: ports[PORTS.admin] ?? 0 },
    )
    .withLabels(runLabels())
    .withAutoRemove(false)
    .start();
}

/** The queue as ensureQueue would make it, within what this emulator offers. */
function serviceBusConfig(): unknown {
  const Properties = {
    LockDuration: 'PT1M',
    MaxDeliveryCount: 2_000,
    DefaultMessageTimeToLive: 'PT1H',
    DeadLetteringOnMessageExpiration: true,
    RequiresDuplicateDetection: false,
    RequiresSession: false,
  };
  return {
    UserConfig: {
      Namespaces: [{ Name: 'sbemulatorns', Queues: [{ Name: QUEUE, Properties }] }],
      Logging: { Type: 'Console' },
    },
  };
}
