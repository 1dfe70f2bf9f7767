import { getContainerRuntimeClient } from 'testcontainers';

export type Runtime = Awaited<ReturnType<typeof getContainerRuntimeClient>>;
export type Container = ReturnType<Runtime['container']['getById']>;
export type ContainerNetwork = ReturnType<Runtime['network']['getById']>;

/** On everything that a run makes, so that whoever started the run can clear what it left. */
export const RUN_LABEL = 'tandem.e2e';

export function runLabels(): Record<string, string> {
  return { [RUN_LABEL]: process.env['E2E_RUN'] || 'by-hand' };
}

/** Ryuk, which would clear up after a run that was killed, is one more image that must be pulled. */
export async function openRuntime(): Promise<Runtime> {
  process.env['TESTCONTAINERS_RYUK_DISABLED'] ??= 'true';
  return getContainerRuntimeClient();
}

/** What a call to the engine says about something that is so already. */
const ALREADY = new Set([304, 404, 409]);

/** Lets pass that a container is gone, or not in the state that the call would end. */
export async function settled(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    const { statusCode } = error as { statusCode?: number };
    if (statusCode === undefined || !ALREADY.has(statusCode)) throw error;
  }
}
