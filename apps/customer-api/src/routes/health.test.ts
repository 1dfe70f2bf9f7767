import type { ProcessReadiness } from '@tandem/region';
import { describe, expect, it } from 'vitest';
import { createTestApp } from '../testing/create-test-app.ts';

const ask = async (url: string, readiness: ProcessReadiness) => {
  const { app } = await createTestApp({ readiness: async () => readiness });
  const response = await app.inject({ url });
  await app.close();
  return response;
};

const BEHIND: ProcessReadiness = {
  kind: 'not-ready',
  reasons: [
    { kind: 'behind', peer: 'west', lagMs: 48_210 },
    { kind: 'behind', peer: 'north', lagMs: undefined },
    { kind: 'replicator-not-heard', ageMs: undefined },
    { kind: 'replicator-not-heard', ageMs: 20_000 },
    { kind: 'store-not-answering' },
    { kind: 'stopping' },
  ],
};

describe('health', () => {
  it.each(['/health', '/health/ready'])('%s is 200 when the region is ready', async (url) => {
    const response = await ask(url, { kind: 'ready', notes: ['west: not heard, let through'] });
    expect(response.statusCode).toBe(200);
    expect(response.headers['cache-control']).toBe('no-store');
    expect(response.json()).toEqual({
      status: 'ready',
      region: 'east',
      reasons: [],
      notes: ['west: not heard, let through'],
    });
  });

  it.each(['/health', '/health/ready'])('%s is 503 with every reason when not', async (url) => {
    const response = await ask(url, BEHIND);
    expect(response.statusCode).toBe(503);
    expect(response.headers['cache-control']).toBe('no-store');
    expect(response.json()).toEqual({
      status: 'not-ready',
      region: 'east',
      reasons: [
        { kind: 'behind', peer: 'west', lagMs: 48_210 },
        { kind: 'behind', peer: 'north' },
        { kind: 'replicator-not-heard' },
        { kind: 'replicator-not-heard', ageMs: 20_000 },
        { kind: 'store-not-answering' },
        { kind: 'stopping' },
      ],
      notes: [],
    });
  });

  it('/health/serving is 200 however unready the region is', async () => {
    const response = await ask('/health/serving', BEHIND);
    expect(response.statusCode).toBe(200);
    expect(response.json()).toEqual({ status: 'ready', region: 'east', reasons: [], notes: [] });
  });

  it('/health/live is 200 however unready the region is', async () => {
    const response = await ask('/health/live', BEHIND);
    expect(response.statusCode).toBe(200);
    expect(response.headers['cache-control']).toBe('no-store');
    expect(response.json()).toEqual({ status: 'live', region: 'east' });
  });
});
