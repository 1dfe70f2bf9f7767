import { until } from '../../customers-client.ts';
import { type ContainerPlan, healthUrlOf } from './container-plan.ts';

export const START_MS_MAX = 240_000;
const ASK_MS_MAX = 2_000;

/** Asked from this machine: the images have no shell in which a library could look for ports. */
export async function untilAnswers(plan: ContainerPlan): Promise<void> {
  const ask = async (): Promise<true | undefined> => {
    const response = await fetch(healthUrlOf(plan), { signal: AbortSignal.timeout(ASK_MS_MAX) });
    await response.body?.cancel();
    return response.ok || !plan.health.mustSucceed ? true : undefined;
  };
  await until(`${plan.name} to answer`, ask, START_MS_MAX);
}
