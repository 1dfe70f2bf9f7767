import { type ChangePublisher, TransientError } from '@tandem/core';
import { createSeededRandomness, createVirtualClock } from '@tandem/core/memory';
import type { LogFields, Logger } from '@tandem/service-kit';
import { expect, test } from 'vitest';
import { createPeerLinks } from './data-access.ts';

test('logs which peer went down and that it is back', async () => {
  const clock = createVirtualClock(0);
  let isDown = true;
  const publisher: ChangePublisher = {
    peer: 'west',
    publish: async () => {
      if (isDown) throw new TransientError('BUS_UNAVAILABLE', 'The namespace does not answer.');
    },
    close: async () => undefined,
  };
  const lines: LogFields[] = [];
  const record = (fields: LogFields): void => void lines.push(fields);
  const [link] = createPeerLinks({
    publishers: [publisher],
    clock,
    randomness: createSeededRandomness(1),
    logger: { debug: record, info: record, warn: record, error: record } satisfies Logger,
    settings: { wireVersion: 1 },
  });
  expect(await link?.publish([])).toBe('peer-down');
  isDown = false;
  await clock.advance(60_000);
  expect(await link?.publish([])).toBe('accepted');
  expect(lines).toMatchObject([
    { event: 'peer-down', peer: 'west', error: { code: 'BUS_UNAVAILABLE' } },
    { event: 'peer-up', peer: 'west' },
  ]);
});
