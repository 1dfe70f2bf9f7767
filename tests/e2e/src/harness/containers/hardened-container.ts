import { GenericContainer, type StartedTestContainer, type WaitStrategy } from 'testcontainers';
import type { ContainerPlan } from './container-plan.ts';
import {
  type OnCreated,
  startOfficialAzurite,
  startOfficialServiceBus,
} from './official-containers.ts';
import { runLabels } from './runtime.ts';
import { START_MS_MAX, untilAnswers } from './until-answers.ts';

/** As a cluster runs it: nothing can be written but volumes, no capability, no way to get one. */
class HardenedContainer extends GenericContainer {
  /** Called between creation and start, so that it is on all of its networks from the first. */
  private readonly onCreated: OnCreated;

  constructor(image: string, onCreated: OnCreated) {
    super(image);
    this.onCreated = onCreated;
    this.hostConfig = {
      ...this.hostConfig,
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges:true'],
    };
  }

  protected override async containerCreated(containerId: string): Promise<void> {
    await this.onCreated(containerId);
  }
}

/** Resolves to a container that runs and answers. */
export async function startContainer(
  plan: ContainerPlan,
  onCreated: OnCreated,
): Promise<StartedTestContainer> {
  if (plan.official === 'azurite') return startOfficialAzurite(plan, onCreated);
  if (plan.official === 'service-bus') return startOfficialServiceBus(plan, onCreated);
  const ports = Object.entries(plan.ports).map(([container, host]) => ({
    container: Number(container),
    host,
  }));
  const container = new HardenedContainer(plan.image, onCreated)
    .withEnvironment({ ...plan.env })
    .withLabels(runLabels())
    .withExposedPorts(...ports)
    .withAutoRemove(false)
    .withWaitStrategy(waitFor(plan));
  const files = Object.entries(plan.files ?? {});
  container.withBindMounts(files.map(([source, target]) => ({ source, target, mode: 'ro' })));
  return container.start();
}

function waitFor(plan: ContainerPlan): WaitStrategy {
  const strategy: WaitStrategy = {
    waitUntilReady: () => untilAnswers(plan),
    withStartupTimeout: () => strategy,
    isStartupTimeoutSet: () => true,
    getStartupTimeout: () => START_MS_MAX,
  };
  return strategy;
}
