import { expect, test } from 'vitest';
import type { Session } from '../session.ts';
import { chooseBuckets } from './region.ts';
import { requireConfirmation } from './require-confirmation.ts';

async function ask(given: string | undefined, typed?: string): Promise<readonly string[]> {
  const asked: string[] = [];
  const io = {
    signal: new AbortController().signal,
    ...(typed === undefined
      ? {}
      : {
          ask: async (question: string) => {
            asked.push(question);
            return typed;
          },
        }),
  };
  const what = 'delete 916\ncustomers';
  // Only what is asked of a session here.
  const session = { io } as unknown as Pick<Session, 'io'>;
  await requireConfirmation(session, { region: 'west', what, given });
  return asked;
}

test('who names the region in the command is not asked', async () => {
  expect(await ask('west', 'east')).toEqual([]);
  expect(await ask('west')).toEqual([]);
});

test('who sits at the terminal is asked on one line, and may type a space', async () => {
  expect(await ask(undefined, ' west\n')).toEqual([
    'This would delete 916\\ncustomers. Type the name of the region, west, to go on: ',
  ]);
});

test.each([
  ['east', undefined],
  ['', 'west'],
  [undefined, 'east'],
  [undefined, ''],
  [undefined, undefined],
])('nothing is done when the command says %j and the terminal %j', async (given, typed) => {
  await expect(ask(given, typed)).rejects.toThrow(
    'Nothing was done: confirm it with --confirm west.',
  );
});

test('a bucket is chosen of those that there are', () => {
  const buckets = ['00', '01', '02'];
  expect(chooseBuckets(buckets, undefined)).toEqual(buckets);
  expect(chooseBuckets(buckets, '01')).toEqual(['01']);
  expect(() => chooseBuckets(buckets, '03')).toThrow('no bucket "03"; there are 00 to 02.');
});
