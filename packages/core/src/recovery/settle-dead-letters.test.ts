import { describe, expect, test } from 'vitest';
import type { DeadLetterReplacements, DeadLetterVerdict } from '../ports/queue-viewer.ts';
import { settleDeadLetters } from './settle-dead-letters.ts';

async function settle(
  batches: readonly (readonly number[])[],
  wanted: readonly number[],
  verdict: DeadLetterVerdict | DeadLetterReplacements = 'resubmit',
  failing?: string,
) {
  const calls: string[] = [];
  const left = [...batches];
  const note = async (what: string): Promise<void> => {
    calls.push(what);
    if (what === failing) throw new Error('down');
  };
  let received = 0;
  const settled = await settleDeadLetters<number>(
    {
      receive: async () => {
        received += 1;
        return left.shift() ?? [];
      },
      numberOf: (letter) => BigInt(letter),
      send: (letter, instead) => note(`send ${instead?.messageId ?? letter}`),
      complete: (letter) => note(`complete ${letter}`),
      giveBack: (letters) => note(`give back ${letters.join(' ')}`),
    },
    new Set(wanted.map(BigInt)),
    verdict,
  ).catch((error: unknown) => error);
  return { settled, calls, received };
}

describe('settling dead letters', () => {
  test('sends a batch before it completes it, and gives back what nobody asked for', async () => {
    const { settled, calls, received } = await settle([[1, 2], [3, 4, 5], [6]], [2, 3, 5]);
    expect(settled).toEqual(new Set([2n, 3n, 5n]));
    expect(calls).toEqual([
      'send 2',
      'complete 2',
      'send 3',
      'send 5',
      'complete 3',
      'complete 5',
      'give back 1 4',
    ]);
    // All were found: nothing else is locked.
    expect(received).toBe(2);
  });

  test('sends nothing that is thrown away', async () => {
    const { settled, calls } = await settle([[1, 2]], [2], 'discard');
    expect([settled, calls]).toEqual([new Set([2n]), ['complete 2', 'give back 1']]);
  });

  test('sends all that stands for a letter before it completes the letter', async () => {
    const body = new Uint8Array();
    const replacements = new Map([
      [1n, [{ messageId: '1a', body }]],
      [2n, ['2a', '2b'].map((messageId) => ({ messageId, body }))],
    ]);
    const { settled, calls } = await settle([[1, 2, 3]], [1, 2], replacements);
    expect(settled).toEqual(new Set([1n, 2n]));
    expect(calls).toEqual([
      'send 1a',
      'send 2a',
      'send 2b',
      'complete 1',
      'complete 2',
      'give back 3',
    ]);
    const cutOff = await settle([[1, 2]], [1, 2], replacements, 'send 2b');
    expect(cutOff.calls).toEqual(['send 1a', 'send 2a', 'send 2b', 'give back ']);
  });

  test('ends where no more are there, or five thousand are held', async () => {
    expect(await settle([[1], []], [9])).toMatchObject({
      settled: new Set(),
      calls: ['give back 1'],
      received: 2,
    });
    const batches = Array.from({ length: 60 }, (_, n) =>
      Array.from({ length: 100 }, (__, m) => n * 100 + m),
    );
    expect((await settle(batches, [9_999])).received).toBe(50);
    expect(await settle(batches, [])).toMatchObject({ received: 0 });
  });

  test('gives back what it holds when the queue fails, and completes nothing that was not sent', async () => {
    const { settled, calls } = await settle([[1, 2]], [2], 'resubmit', 'send 2');
    expect(settled).toEqual(new Error('down'));
    expect(calls).toEqual(['send 2', 'give back 1']);
  });
});
