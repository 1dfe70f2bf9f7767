import { expect, it } from 'vitest';
import {
  createProcessReadiness,
  createServing,
  type ProcessReadiness,
  type RegionReadiness,
  readinessAnswerOf,
} from './region-readiness.ts';

type Reason = Extract<ProcessReadiness, { kind: 'not-ready' }>['reasons'][number];

it('serves from the opening of the region to its stop, also while the region is not ready', () => {
  const stopping = new AbortController();
  let region: RegionReadiness | undefined;
  const serving = createServing({ region: () => region, stopping: stopping.signal });
  expect(serving()).toEqual({ kind: 'not-ready', reasons: [{ kind: 'starting' }] });
  region = async () => ({ kind: 'not-ready', reasons: [{ kind: 'store-not-answering' }] });
  expect(serving()).toEqual({ kind: 'ready', notes: [] });
  stopping.abort();
  expect(serving()).toEqual({ kind: 'not-ready', reasons: [{ kind: 'stopping' }] });
});

it('is red until the region is opened, then says what the region says, and red once it stops', async () => {
  const stopping = new AbortController();
  let region: RegionReadiness | undefined;
  const readiness = createProcessReadiness({ region: () => region, stopping: stopping.signal });
  expect(await readiness()).toEqual({ kind: 'not-ready', reasons: [{ kind: 'starting' }] });
  region = async () => ({ kind: 'ready', notes: ['west: not heard, let through'] });
  expect(await readiness()).toEqual({ kind: 'ready', notes: ['west: not heard, let through'] });
  stopping.abort();
  expect(await readiness()).toEqual({ kind: 'not-ready', reasons: [{ kind: 'stopping' }] });
});

it.each<readonly [Reason, object]>([
  [{ kind: 'replicator-not-heard', ageMs: undefined }, { kind: 'replicator-not-heard' }],
  [
    { kind: 'replicator-not-heard', ageMs: 20_000.6 },
    { kind: 'replicator-not-heard', ageMs: 20_001 },
  ],
  [
    { kind: 'replicator-not-heard', ageMs: undefined, aheadMs: 90_000.4 },
    { kind: 'replicator-not-heard', aheadMs: 90_000 },
  ],
  [
    { kind: 'behind', peer: 'west', lagMs: undefined },
    { kind: 'behind', peer: 'west' },
  ],
  [
    { kind: 'behind', peer: 'west', lagMs: 60_000.5 },
    { kind: 'behind', peer: 'west', lagMs: 60_001 },
  ],
  [
    { kind: 'held', why: 'is rebuilt' },
    { kind: 'held', why: 'is rebuilt' },
  ],
  [
    { kind: 'out-for-drill', untilMs: 7 },
    { kind: 'out-for-drill', untilMs: 7 },
  ],
  [{ kind: 'store-not-answering' }, { kind: 'store-not-answering' }],
  [{ kind: 'starting' }, { kind: 'starting' }],
  [{ kind: 'stopping' }, { kind: 'stopping' }],
])(
  'is answered with each reason, in whole milliseconds and without what is not known: %j',
  (reason, answered) => {
    expect(readinessAnswerOf('east', { kind: 'not-ready', reasons: [reason] })).toStrictEqual({
      status: 'not-ready',
      region: 'east',
      reasons: [answered],
      notes: [],
    });
  },
);

it('is answered with its notes, and without a reason, where it is ready', () => {
  const notes = ['west: not heard, let through'];
  expect(readinessAnswerOf('east', { kind: 'ready', notes })).toStrictEqual({
    status: 'ready',
    region: 'east',
    reasons: [],
    notes,
  });
});
