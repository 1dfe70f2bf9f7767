import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Broker, startBroker } from './start-broker.ts';

export const QUEUE = 'bench';

/** Bare rhea, or the emulator with what it keeps its messages in. */
export type BrokerKind = 'bare' | 'memory' | 'folder';

const EMULATOR_ARGS = ['--amqp-port', '0', '--admin-port', '0', '--queues', QUEUE];

/** Runs the work with a broker in a process of its own, which is stopped in any case. */
export async function withBroker<T>(
  kind: BrokerKind,
  work: (broker: Broker) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'emulator-bench.'));
  try {
    const location = kind === 'folder' ? ['--location', folder] : [];
    const broker =
      kind === 'bare'
        ? await startBroker(new URL('./bare-broker.ts', import.meta.url), [])
        : await startBroker(new URL('../main.ts', import.meta.url), [
            ...EMULATOR_ARGS,
            ...location,
          ]);
    try {
      return await work(broker);
    } finally {
      await broker.stop();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
