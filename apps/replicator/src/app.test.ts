import { createRequestJudge, NEWEST_WIRE_VERSION } from '@tandem/core';
import { describeStatus, type ReplicatorView } from '@tandem/region';
import { recordLog } from '@tandem/region/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createApp } from './app.ts';

const STATUS = describeStatus({
  nowMs: 1,
  region: 'east',
  phase: 'opening',
  links: [],
  lastBeat: undefined,
  owedToSinceMs: () => undefined,
  driftMsMax: 60_000,
  queue: undefined,
  duties: [],
  counts: {
    conflicts: 0,
    relayed: 0,
    deadLettered: 0,
    refused: {},
    received: 0,
    trimmed: {},
    purged: 0,
    copied: 0,
  },
  copies: [],
  mirrors: [],
  notices: [],
});

async function setUp(view: Partial<ReplicatorView> = {}) {
  const app = await createApp({
    region: 'east',
    logger: recordLog().logger,
    judgeRequest: createRequestJudge(),
    view: {
      liveness: () => ({ kind: 'live' }),
      readiness: () => ({ kind: 'ready' }),
      status: () => STATUS,
      ...view,
    },
  });
  onTestFinished(() => app.close());
  return app;
}

describe('health server', () => {
  test('is live while every loop turns', async () => {
    const response = await (await setUp()).inject('/health/live');
    expect(response.statusCode).toBe(200);
    expect(response.json()).toEqual({ status: 'live', region: 'east', loops: [] });
  });

  test('is not live when a loop hangs, and names it', async () => {
    const app = await setUp({ liveness: () => ({ kind: 'stalled', loops: ['sweep'] }) });
    const response = await app.inject('/health/live');
    expect(response.statusCode).toBe(503);
    expect(response.json()).toMatchObject({ status: 'stalled', loops: ['sweep'] });
  });

  test('is ready when the loops are through', async () => {
    const response = await (await setUp()).inject('/health/ready');
    expect(response.statusCode).toBe(200);
    expect(response.headers['cache-control']).toBe('no-store');
  });

  test('says why it is not ready', async () => {
    const reasons = [{ kind: 'loop-not-through' as const, loop: 'receive' as const }];
    const app = await setUp({ readiness: () => ({ kind: 'not-ready', reasons }) });
    const response = await app.inject('/health/ready');
    expect(response.statusCode).toBe(503);
    expect(response.json()).toEqual({ status: 'not-ready', region: 'east', reasons });
  });

  test('gives the status whole, with null for what is not known', async () => {
    const response = await (await setUp()).inject('/status');
    const { build, ...status } = response.json();
    expect(status).toEqual(STATUS);
    // What runs, for who watches an upgrade.
    expect(build).toEqual({
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      wireVersionMax: NEWEST_WIRE_VERSION,
    });
  });

  test('has a problem document for any other path, and repeats nothing of it', async () => {
    const response = await (await setUp()).inject('/secret-path');
    expect(response.statusCode).toBe(404);
    expect(response.headers['content-type']).toContain('application/problem+json');
    expect(response.body).not.toContain('secret-path');
  });
});

test('G1: what another site sends is answered 403, on every path', async () => {
  const app = await setUp();
  for (const url of ['/status', '/health/live', '/nothing']) {
    for (const headers of [{ host: 'evil.example' }, { origin: 'http://evil.example' }]) {
      const response = await app.inject({ url, headers });
      expect(response.statusCode).toBe(403);
      expect(response.json()).toMatchObject({ status: 403, title: 'Forbidden' });
    }
    const own = await app.inject({ url, headers: { host: '10.0.0.7:8081' } });
    expect(own.statusCode).not.toBe(403);
  }
});
