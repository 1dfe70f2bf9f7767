import { describe, expect, test } from 'vitest';
import { createVirtualClock } from '../memory/virtual-clock.ts';
import type { Outbox, OutboxEntry } from '../ports/outbox.ts';
import { formatStamp } from '../time/stamp.ts';
import { sweep } from './sweep.ts';

const NOW_MS = Date.UTC(2026, 0, 1);
const GRACE_MS = 2_000;

function entry(committedAfterMs: number): OutboxEntry {
  const stamp = formatStamp({ timeMs: committedAfterMs, counter: 0, region: 'east', writer: 'w' });
  const set = { entityKind: 'Devices', bucket: '00', stamp, changes: [] };
  return { set, encoded: new Uint8Array(), owed: ['west'], committedAfterMs, parkedFor: undefined };
}

async function sweptOf(
  entries: readonly OutboxEntry[],
  scanMs = 0,
): Promise<readonly OutboxEntry[]> {
  const clock = createVirtualClock(NOW_MS);
  const swept: OutboxEntry[] = [];
  const outbox: Outbox = {
    entityKind: 'Devices',
    buckets: ['00'],
    scan: async () => {
      await clock.advance(scanMs);
      return { entries, unreadable: [], aside: [] };
    },
    remove: () => Promise.resolve(),
    park: () => Promise.resolve(),
  };
  await sweep({
    outboxes: [outbox],
    links: [],
    clock,
    graceMs: GRACE_MS,
    relay: {
      relay: (due) => {
        swept.push(...due);
        return Promise.resolve({ relayed: due.length, owed: [] });
      },
    },
  });
  return swept;
}

describe('what a sweep relays', () => {
  test('is what its writer has had the time to relay itself', async () => {
    const [old, young] = [entry(NOW_MS - GRACE_MS), entry(NOW_MS - GRACE_MS + 1)];
    expect(await sweptOf([old, young])).toEqual([old]);
  });

  test('is not what was committed while the scan took its time', async () => {
    expect(await sweptOf([entry(NOW_MS + 2 * GRACE_MS)], 3 * GRACE_MS)).toEqual([]);
  });

  test('I13: is also what a clock that ran far ahead has committed', async () => {
    const ahead = entry(NOW_MS + 3_600_000);
    expect(await sweptOf([ahead])).toEqual([ahead]);
  });
});
