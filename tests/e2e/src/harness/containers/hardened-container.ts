import { GenericContainer, type WaitStrategy } from 'testcontainers';
import type { ContainerPlan } from './container-plan.ts';
import { runLabels } from './runtime.ts';
import { START_MS_MAX, untilAnswers } from './until-answers.ts';

/** As a cluster runs it: nothing can be written but volumes, no capability, no way to get one. */
class HardenedContainer extends GenericContainer {
  /** Called between creation and start, so that it is on all of its networks from the first. */
  private readonly onCreated: (containerId: string) => Promise<void>;

  constructor(image: string, onCreated: (containerId: string) => Promise<void>) {
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

/** Resolves to the id of a container that runs and answers. */
export async function startContainer(
  plan: ContainerPlan,
  onCreated: (containerId: string) => Promise<void>,
): Promise<string> {
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
  return (await container.start()).getId();
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
