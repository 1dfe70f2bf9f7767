import { expect, test } from 'vitest';
import type { ChangeSet } from '../model/change-set.ts';
import { formatStamp } from '../time/stamp.ts';
import { decodeChangeSet, encodeChangeSet } from './change-set-bytes.ts';

const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const stamp = formatStamp({ timeMs: 1_000, counter: 0, region: 'east', writer: 'w1' });
const state = {
  fields: new Map(),
  alive: stamp,
  deleted: undefined,
  vector: new Map([['east', stamp]]),
};
const set: ChangeSet = {
  entityKind: 'Devices',
  bucket: '00',
  stamp,
  changes: [
    { entityId: 'a', operation: 'create', state, trace: TRACE },
    { entityId: 'b', operation: 'create', state },
  ],
};

const withTrace = (trace: unknown): Uint8Array => {
  const json = JSON.parse(new TextDecoder().decode(encodeChangeSet(set))) as {
    changes: Record<string, unknown>[];
  };
  for (const change of json.changes) change['trace'] = trace;
  return new TextEncoder().encode(JSON.stringify(json));
};

test('a change carries its trace, and one without costs no byte', () => {
  expect(decodeChangeSet(encodeChangeSet(set))).toEqual(set);
  const untraced = { ...set, changes: set.changes.slice(1) };
  expect(new TextDecoder().decode(encodeChangeSet(untraced))).not.toContain('trace');
});

test.each([[17], [{}], ['x'], [null], [`${TRACE}\n`], ['x'.repeat(10_000)]])(
  'no change is refused for the sake of a trace that reads %j',
  (trace) => {
    const { changes } = decodeChangeSet(withTrace(trace));
    expect(changes.map((change) => 'trace' in change)).toEqual([false, false]);
  },
);

// What an older build does with `trace`: it reads the members that it knows and no others.
test('a member that a build does not know is read over', () => {
  const json = JSON.parse(new TextDecoder().decode(encodeChangeSet(set))) as {
    changes: Record<string, unknown>[];
  };
  for (const change of json.changes) change['unheardOf'] = [1];
  const bytes = new TextEncoder().encode(JSON.stringify(json));
  expect(decodeChangeSet(bytes)).toEqual(set);
});
