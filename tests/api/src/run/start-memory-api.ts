import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export interface MemoryApi {
  readonly url: string;
  stop(): Promise<void>;
}

const READY_MS_MAX = 60_000;

/** The real process of the customer API, on a free port, keeping nothing. */
export async function startMemoryApi(): Promise<MemoryApi> {
  const main = fileURLToPath(import.meta.resolve('@tandem/customer-api/main'));
  const child = spawn(process.execPath, [main], {
    env: {
      REGION_ID: 'east',
      HOST: '127.0.0.1',
      PORT: '0',
      CUSTOMER_DATA_ACCESS: 'memory',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'close');
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await ended;
  };
  const deadline = setTimeout(() => child.kill('SIGKILL'), READY_MS_MAX);
  const lines = createInterface({ input: child.stdout });
  for await (const line of lines) {
    const port = /"event":"ready".*?"port":(\d+)/.exec(line)?.[1];
    if (port === undefined) continue;
    clearTimeout(deadline);
    lines.close();
    child.stdout.resume();
    return { url: `http://127.0.0.1:${port}`, stop };
  }
  clearTimeout(deadline);
  await ended;
  throw new Error('The customer API ended before it listened.');
}
