import { expect, test } from 'vitest';
import { createMemoryBus } from '../memory/memory-bus.ts';
import { createVirtualClock } from '../memory/virtual-clock.ts';
import { type Conflict, eraseConflict } from '../model/conflict.ts';
import type { QueuedMessage, QueueViewer } from '../ports/queue-viewer.ts';
import { alive, at, setOf } from '../testing/memory-recovery-region.ts';
import { deflateChangeSet, encodeChangeSet } from '../wire/change-set-bytes.ts';
import { encodeConflictMessages } from '../wire/encode-conflict.ts';
import { packChangeSets } from '../wire/message-body.ts';
import { encodeWatermark } from '../wire/watermark.ts';
import { eachQueuePage, eraseState, findHolding } from './erase-entity.ts';

const ID = '00b479c9-f61f-451a-86d2-ee8cc047c181';

async function holdingAmong(...bodies: readonly string[]): Promise<number> {
  const clock = createVirtualClock(0);
  const bus = createMemoryBus({ clock, lockDurationMs: 30_000, deliveryCountMax: 1 });
  const messages = bodies.map((text, nth) => ({
    messageId: `m${nth}`,
    subject: 'change-set' as const,
    body: new TextEncoder().encode(text),
  }));
  await bus.publisherFor('west', 'west').publish(messages);
  return (await findHolding(bus.viewerFor('west'), 'messages', ID)).length;
}

test('what cannot be read holds an entity that it names', async () => {
  expect(await holdingAmong(`{"wire":1,"no":"${ID}"}`, '{"wire":1,"no":"change"}')).toBe(1);
});

test('a damaged pack of deflated change sets may hold any entity', async () => {
  const plain = JSON.stringify({ wire: 1, changes: Array.from({ length: 20 }, () => ID) });
  const deflated = Buffer.from(deflateChangeSet(Buffer.from(plain))).toString();
  expect(deflated).not.toContain(ID);
  expect(await holdingAmong(`{"wire":2,"lengths":[${deflated.length}],"sets":[${deflated}`)).toBe(
    1,
  );
});

type Message = Pick<QueuedMessage, 'body' | 'subject'>;

/** Each has the double of its place for a number. */
function queueOf(messages: readonly Message[]): { queue: QueueViewer; asked: [bigint, number][] } {
  const asked: [bigint, number][] = [];
  const peek: QueueViewer['peek'] = async (_, from, countMax) => {
    asked.push([from, countMax]);
    return messages
      .map((one, nth) => ({ ...one, sequenceNumber: BigInt(2 * nth) }) as QueuedMessage)
      .filter(({ sequenceNumber }) => sequenceNumber >= from)
      .slice(0, countMax);
  };
  return { queue: { peek } as QueueViewer, asked };
}

const setMessage = (body: Uint8Array): Message => ({ subject: 'change-set', body });
const told = (body: Uint8Array): Message => ({ subject: 'watermark', body });
const textMessage = (text: string): Uint8Array => new TextEncoder().encode(text);

test('of many pages each message that holds its values is named, and no neighbour', async () => {
  const other = setMessage(encodeChangeSet(setOf(at(1), ['other', alive(1)])));
  const own = setMessage(encodeChangeSet(setOf(at(1), ['other', alive(1)], [ID, alive(1)])));
  const messages = Array.from({ length: 1_201 }, (_, nth) =>
    [3, 500, 1_200].includes(nth) ? own : other,
  );
  const { queue, asked } = queueOf(messages);
  expect(await findHolding(queue, 'messages', ID)).toEqual([6n, 1_000n, 2_400n]);
  expect(asked).toEqual([
    [0n, 500],
    [999n, 500],
    [1_999n, 500],
    [2_401n, 500],
  ]);
});

test.each<[string, Message, boolean]>([
  [
    'a pack of which one set holds it',
    setMessage(
      packChangeSets(['other', ID].map((id) => encodeChangeSet(setOf(at(1), [id, alive(1)])))),
    ),
    true,
  ],
  [
    'its state without values',
    setMessage(encodeChangeSet(setOf(at(1), [ID, eraseState(alive(1))]))),
    false,
  ],
  [
    'a deflated set that is damaged',
    setMessage(textMessage('{"wire":3,"bytes":99,"deflated":"torn"}')),
    true,
  ],
  ['a watermark', told(encodeWatermark({ from: 'west', timeMs: 1 })), false],
  ['a watermark that cannot be read', told(textMessage('{')), true],
  ['a conflict of it among others', told(conflictsOf('other', ID)), true],
  ['a conflict of another', told(conflictsOf('other')), false],
  ['a conflict of it without its values', told(conflictsOf('other', `!${ID}`)), false],
])('%s', async (_, message, isHolding) => {
  const { queue } = queueOf([message]);
  expect(await findHolding(queue, 'messages', ID)).toEqual(isHolding ? [0n] : []);
});

/** Of each entity one; with `!` before it one that is erased. */
function conflictsOf(...ids: readonly string[]): Uint8Array {
  const stamps = [at(1), at(1, 'west')] as const;
  const [loser, winner] = stamps.map((stamp) => ({
    stamp,
    value: { type: 'String' as const, value: 'x' },
  }));
  const conflicts = ids.map((id): Conflict => {
    const fields = [{ name: 'label', winner: winner!, loser: loser! }];
    const entityId = id.replace('!', '');
    const one = { entityKind: 'Devices', entityId, stamps, fields, life: undefined };
    return id.startsWith('!') ? eraseConflict(one) : one;
  });
  return encodeConflictMessages('west', conflicts)[0]!;
}

test('a queue of more than two million messages is refused', async () => {
  let pages = 0;
  const queue = {
    peek: async (_lane: unknown, from: bigint) => [{ sequenceNumber: from } as QueuedMessage],
  } as unknown as QueueViewer;
  const reading = async (): Promise<void> => {
    for await (const page of eachQueuePage(queue, 'messages')) pages += page.length;
  };
  await expect(reading()).rejects.toMatchObject({
    code: 'RECOVERY_REFUSED',
    message: expect.stringContaining('2000000'),
  });
  expect(pages).toBe(4_000);
});
