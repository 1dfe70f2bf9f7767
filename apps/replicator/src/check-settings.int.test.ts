import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { customerKind } from '@tandem/core/customers';
import { createMemoryTableStore, createVirtualClock } from '@tandem/core/memory';
import { checkSettings } from '@tandem/region';
import { describe, expect, test } from 'vitest';

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url));

function check(environment: Readonly<Record<string, string>>): Promise<string | undefined> {
  return checkSettings({
    region: 'east',
    environment,
    kinds: [customerKind],
    store: createMemoryTableStore(),
    clock: createVirtualClock(0),
  });
}

function runCheck(env: Record<string, string>) {
  return new Promise<{ code: unknown; stdout: string; stderr: string }>((resolve) => {
    execFile(process.execPath, [MAIN, '--check'], { env }, (error, stdout, stderr) => {
      resolve({ code: error?.code ?? 0, stdout, stderr });
    });
  });
}

describe('checking the settings of a region', () => {
  test('finds nothing wrong with those of two regions', async () => {
    const environment = {
      SERVICE_BUS_CONNECTION: 'tandem-east.servicebus.windows.net',
      PEERS: '[{"region":"west","connection":"tandem-west.servicebus.windows.net"}]',
    };
    expect(await check(environment)).toBeUndefined();
  });

  test('names what is missing, and a queue that is its own', async () => {
    expect(await check({})).toContain('ServiceBusConnection');
    const environment = {
      SERVICE_BUS_CONNECTION: 'tandem-east.servicebus.windows.net',
      PEERS: '[{"region":"west","connection":"tandem-east.servicebus.windows.net"}]',
    };
    expect(await check(environment)).toContain('has the queue that this region listens to');
  });

  test('D1: names a connection string that is for another queue alone', async () => {
    const environment = {
      SERVICE_BUS_CONNECTION:
        'Endpoint=sb://tandem-east.servicebus.windows.net/;SharedAccessKeyName=n;SharedAccessKey=hush;EntityPath=other',
      PEERS: '[{"region":"west","connection":"tandem-west.servicebus.windows.net"}]',
    };
    const problem = await check(environment);
    expect(problem).toContain('ServiceBusConnection is for the queue "other" alone (EntityPath)');
    expect(problem).not.toContain('hush');
  });

  test('ends the process with 0 or 1, without a server', async () => {
    const environment = { REGION_ID: 'east', PORT: '0', CUSTOMER_DATA_ACCESS: 'memory' };
    expect(await runCheck(environment)).toMatchObject({
      code: 0,
      stdout: 'The settings can be used.\n',
    });
    const run = await runCheck({ PORT: '0' });
    expect(run.code).toBe(1);
    expect(run.stderr).toMatch(/REGION_ID(.|\n)*STORAGE_CONNECTION/);
  });
});
