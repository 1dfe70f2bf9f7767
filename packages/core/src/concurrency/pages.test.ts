import { describe, expect, test } from 'vitest';
import { PAGES_IN_PLACE_MAX, pagesOf } from './bounded.ts';

interface NumberPage {
  readonly items: readonly number[];
  readonly continuation?: string;
}

async function readAll(
  read: (from: { readonly continuation?: string }) => Promise<NumberPage>,
): Promise<number[]> {
  const items: number[] = [];
  for await (const page of pagesOf(read)) items.push(...page.items);
  return items;
}

describe('pages', () => {
  test('are read to the last, each from where the one before has ended, empty ones too', async () => {
    const from: (string | undefined)[] = [];
    const pages = new Map<string | undefined, NumberPage>([
      [undefined, { items: [1, 2], continuation: 'a' }],
      ['a', { items: [], continuation: 'b' }],
      ['b', { items: [3] }],
    ]);
    const items = await readAll(async ({ continuation }) => {
      from.push(continuation);
      return pages.get(continuation) ?? { items: [] };
    });
    expect(items).toEqual([1, 2, 3]);
    expect(from).toEqual([undefined, 'a', 'b']);
  });

  test('are not read before they are asked for', async () => {
    let reads = 0;
    for await (const page of pagesOf(async (): Promise<NumberPage> => {
      reads += 1;
      return { items: [reads], continuation: String(reads) };
    })) {
      if (page.items[0] === 2) break;
    }
    expect(reads).toBe(2);
  });

  test('that never get on end with an error that a retry may mend', async () => {
    let reads = 0;
    const reading = readAll(async () => {
      reads += 1;
      return { items: [], continuation: 'here' };
    });
    await expect(reading).rejects.toMatchObject({ code: 'TABLE_UNAVAILABLE' });
    expect(reads).toBe(PAGES_IN_PLACE_MAX + 1);
  });

  test('that end in place now and then are read on', async () => {
    let reads = 0;
    const items = await readAll(async () => {
      reads += 1;
      const page = { items: [reads] };
      return reads > 300 ? page : { ...page, continuation: String(Math.floor(reads / 50)) };
    });
    expect(items).toHaveLength(301);
  });
});
