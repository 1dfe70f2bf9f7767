import { type Azurite, startAzurite } from '@tandem/storage/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type SpawnedApi, spawnApi } from './testing/spawn-api.ts';

const IN_MEMORY = { REGION_ID: 'east', PORT: '0', CUSTOMER_DATA_ACCESS: 'memory' };

let azurite: Azurite;
let spawned: SpawnedApi[] = [];

beforeAll(async () => {
  azurite = await startAzurite();
});

afterEach(async () => {
  for (const { child } of spawned) child.kill('SIGKILL');
  await Promise.all(spawned.map((api) => api.untilExit()));
  spawned = [];
});

afterAll(async () => {
  await azurite.stop();
});

function start(environment: Readonly<Record<string, string>>): SpawnedApi {
  const api = spawnApi(environment);
  spawned.push(api);
  return api;
}

describe('the process', () => {
  it('says on which port it listens, serves, and ends with 0 on SIGTERM', async () => {
    const api = start(IN_MEMORY);
    const port = await api.untilReady();
    const response = await fetch(`http://127.0.0.1:${port}/health/ready`);
    expect(response.status).toBe(200);
    api.child.kill('SIGTERM');
    expect(await api.untilExit()).toBe(0);
    await expect(fetch(`http://127.0.0.1:${port}/health/live`)).rejects.toThrow('fetch failed');
    expect(api.output().stderr).toBe('');
  });

  it('lists everything that is wrong with its environment, and ends with 1', async () => {
    const api = start({ PORT: 'eighty', SHUTDOWN_DEADLINE_MS: 'soon' });
    expect(await api.untilExit()).toBe(1);
    const { stdout, stderr } = api.output();
    expect(stdout).toBe('');
    for (const variable of ['REGION_ID', 'PORT', 'SHUTDOWN_DEADLINE_MS', 'STORAGE_CONNECTION']) {
      expect(stderr).toMatch(new RegExp(`^${variable} `, 'm'));
    }
    expect(stderr).not.toContain('eighty');
  });

  it('lists every override that cannot be used with the rest, before it asks any table', async () => {
    const api = start({
      REGION_ID: 'east',
      PORT: 'x',
      STORAGE_CONNECTION: 'AccountName=hunter2',
      READINESS_LAG_MS_MAX: 'soon',
      CUSTOMER_QUEUE: '?',
    });
    expect(await api.untilExit()).toBe(1);
    const { stderr } = api.output();
    for (const variable of [
      'PORT',
      'STORAGE_CONNECTION',
      'READINESS_LAG_MS_MAX',
      'CUSTOMER_QUEUE',
    ]) {
      expect(stderr).toMatch(new RegExp(`^${variable} cannot be used`, 'm'));
    }
    expect(stderr).not.toContain('hunter2');
  });

  it('lists everything that is wrong with the table Configuration, and ends with 1', async () => {
    const api = start({
      REGION_ID: 'east',
      PORT: '0',
      STORAGE_CONNECTION: azurite.connectionString,
    });
    expect(await api.untilExit()).toBe(1);
    const { stdout, stderr } = api.output();
    expect(stderr).toContain('ServiceBusConnection (or SERVICE_BUS_CONNECTION): is missing');
    expect(stderr).not.toContain('    at ');
    expect(stdout).not.toContain('"exitCode":0');
  });

  it('says in one sentence that its port is taken, and ends with 1', async () => {
    const port = await start(IN_MEMORY).untilReady();
    const second = start({ ...IN_MEMORY, PORT: String(port) });
    expect(await second.untilExit()).toBe(1);
    expect(second.output().stderr).toBe(
      `Port ${port} on 127.0.0.1 is already in use: set PORT to another one (0 takes any free one).\n`,
    );
  });

  it('says that an account cannot be understood, without repeating it', async () => {
    const api = start({ REGION_ID: 'east', PORT: '0', STORAGE_CONNECTION: 'AccountKey=hunter2' });
    expect(await api.untilExit()).toBe(1);
    const { stdout, stderr } = api.output();
    expect(stderr).not.toBe('');
    expect(stdout + stderr).not.toContain('hunter2');
    expect(stderr).not.toContain('    at ');
  });
});
