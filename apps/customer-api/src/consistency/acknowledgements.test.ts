import type { OutboxEntry, Stamp } from '@tandem/core';
import { createVirtualClock, driveVirtualTime } from '@tandem/core/memory';
import { describe, expect, it } from 'vitest';
import { createAcknowledgements } from './acknowledgements.ts';

const STAMP = '0199a1b2c3d4-0003-east-k3v9x2q7' as Stamp;

function entryOf(stamp: Stamp, owed: readonly string[]): OutboxEntry {
  const set = { entityKind: 'Customers', bucket: '00', stamp, changes: [] };
  return { set, encoded: new Uint8Array(), owed, committedAfterMs: 0, parkedFor: undefined };
}

describe('the level of a write', () => {
  it('is queued once every peer has accepted it, whether one waits before or after', async () => {
    const clock = createVirtualClock(0);
    const acknowledgements = createAcknowledgements({ clock });
    const entry = entryOf(STAMP, ['west']);
    acknowledgements.committed(entry);
    const waiting = acknowledgements.levelOf(STAMP, 1_000);
    acknowledgements.sent(entry, []);
    expect(await waiting).toBe('queued');
    expect(await acknowledgements.levelOf(STAMP, 0)).toBe('queued');
  });

  it('is local at once when the process stops while one waits', async () => {
    const stopping = new AbortController();
    const clock = createVirtualClock(0);
    const acknowledgements = createAcknowledgements({ clock, stopping: stopping.signal });
    acknowledgements.committed(entryOf(STAMP, ['west']));
    const waiting = acknowledgements.levelOf(STAMP, 10_000);
    stopping.abort();
    expect(await waiting).toBe('local');
    expect(await acknowledgements.levelOf(STAMP, 10_000)).toBe('local');
  });

  it('is local as soon as one peer is known not to have it', async () => {
    const acknowledgements = createAcknowledgements({ clock: createVirtualClock(0) });
    const entry = entryOf(STAMP, ['west', 'north']);
    acknowledgements.committed(entry);
    acknowledgements.sent(entry, ['north']);
    expect(await acknowledgements.levelOf(STAMP, 60_000)).toBe('local');
  });

  it('is local when the time is up, when there is no peer, and for a stamp of another process', async () => {
    const clock = createVirtualClock(0);
    const acknowledgements = createAcknowledgements({ clock });
    acknowledgements.committed(entryOf(STAMP, ['west']));
    expect(await driveVirtualTime(clock, acknowledgements.levelOf(STAMP, 500))).toBe('local');
    expect(clock.nowMs()).toBe(500);
    const alone = '0199a1b2c3d4-0004-east-k3v9x2q7' as Stamp;
    acknowledgements.committed(entryOf(alone, []));
    expect(await acknowledgements.levelOf(alone, 60_000)).toBe('local');
  });
});
