import { expect, test } from 'vitest';
import { untilUncontended } from './retry.ts';

test('what someone else has written to is tried anew, until it holds', async () => {
  const counts: number[] = [];
  const written = await untilUncontended<number>(
    async (count) => {
      counts.push(count);
      return count < 3 ? { contended: 'Row a' } : 7;
    },
    { attemptsMax: 3 },
  );
  expect(written).toBe(7);
  expect(counts).toEqual([1, 2, 3]);
});

test.each([
  [undefined, 'Row 4 changed 4 times under us.'],
  ['Repeat the command.', 'Row 4 changed 4 times under us. Repeat the command.'],
])(
  'what is always written to by others is given up, with a name and a remedy (%s)',
  async (remedy, message) => {
    let attempts = 0;
    const giving = untilUncontended(
      async (count) => {
        attempts += 1;
        return { contended: `Row ${count}` };
      },
      { attemptsMax: 4, ...(remedy === undefined ? {} : { remedy }) },
    );
    await expect(giving).rejects.toMatchObject({ code: 'WRITE_CONTENDED', message });
    expect(attempts).toBe(4);
  },
);

test('a failure is no contention', async () => {
  let attempts = 0;
  const failing = untilUncontended<void>(
    async () => {
      attempts += 1;
      throw new Error('down');
    },
    { attemptsMax: 4 },
  );
  await expect(failing).rejects.toThrow('down');
  expect(attempts).toBe(1);
});
