import { output } from '@pulumi/pulumi';
import { buildDeployment, type Deployment } from '../build-deployment.ts';
import { readSettings } from '../settings/read-settings.ts';
import { type AskedResource, EXAMPLE, recordResources, TENANT_ID } from './mock-deployment.ts';

export { EXAMPLE };

export interface BuiltExample {
  readonly deployment: Deployment;
  readonly asked: readonly AskedResource[];
}

const built = new Map<string, Promise<BuiltExample>>();

/** Builds the example, changed, to its end; the same one once, since a build takes half a second of a busy machine. */
export function buildExample(changes: object = {}): Promise<BuiltExample> {
  const key = JSON.stringify(changes);
  const found = built.get(key) ?? build(changes);
  built.set(key, found);
  return found;
}

async function build(changes: object): Promise<BuiltExample> {
  const reading = readSettings({ ...EXAMPLE, ...changes });
  if (!reading.ok) throw new Error(reading.problems.join('\n'));
  const asked = await recordResources();
  const deployment = buildDeployment(reading.settings, output(TENANT_ID));
  await untilQuiet(asked);
  return { deployment, asked };
}

export function valueOf<T>(value: { apply(use: (value: T) => void): unknown }): Promise<T> {
  return new Promise((resolve) => {
    value.apply(resolve);
  });
}

const TURNS_QUIET = 50;
const TURNS_MAX = 20_000;

/** Resources are asked for as what they depend on is known: until no more come. */
async function untilQuiet(asked: readonly AskedResource[]): Promise<void> {
  let quiet = 0;
  let count = -1;
  for (let turn = 0; quiet < TURNS_QUIET; turn += 1) {
    if (turn > TURNS_MAX) throw new Error('The program asks for resources without end.');
    quiet = asked.length === count ? quiet + 1 : 0;
    count = asked.length;
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}
