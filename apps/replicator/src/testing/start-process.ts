import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { type RealRegion, until } from '@tandem/region/testing';
import { onTestFinished } from 'vitest';

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));

type LogLine = Readonly<Record<string, unknown>>;

export interface TestProcess {
  readonly child: ChildProcess;
  /** Everything on stderr, once the process has ended. */
  readonly stderr: Promise<string>;
  readonly exitCode: Promise<number | null>;
  readonly lines: readonly LogLine[];
  /** Resolves to the first line of the log with that event. */
  untilEvent(event: string): Promise<LogLine>;
}

/** Starts main.ts with exactly this environment; it ends with the test. */
export function startProcess(env: Readonly<Record<string, string>>): TestProcess {
  const child = spawn(process.execPath, [MAIN], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const exitCode = once(child, 'exit').then(([code]) => code as number | null);
  const stderr = text(child.stderr);
  const lines: LogLine[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(JSON.parse(line) as LogLine);
  });
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await exitCode;
  });
  return {
    child,
    stderr,
    exitCode,
    lines,
    untilEvent: (event) =>
      until(`the event ${event}`, () => {
        const found = lines.find((line) => line['event'] === event);
        if (found === undefined && child.exitCode !== null)
          throw new Error(`ended before ${event}`);
        return found;
      }),
  };
}

export function environmentOf(own: RealRegion): Record<string, string> {
  return {
    REGION_ID: own.region,
    STORAGE_CONNECTION: own.storageConnection,
    SERVICE_BUS_ADMINISTRATION_CONNECTION: own.administrationConnection,
    PORT: '0',
    LOG_LEVEL: 'debug',
  };
}

/** Asks the health server of a process that has said that it is ready. */
export async function fetchJson(
  process: TestProcess,
  path: string,
): Promise<{ readonly status: number; readonly body: unknown }> {
  const { port } = await process.untilEvent('ready');
  const response = await fetch(`http://127.0.0.1:${Number(port)}${path}`);
  return { status: response.status, body: await response.json() };
}
