import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { splitLines } from './import-customers.ts';

async function* cut(text: Buffer, sizes: readonly number[]): AsyncGenerator<Buffer> {
  let at = 0;
  for (const size of sizes) {
    yield text.subarray(at, at + size);
    at += size;
  }
  yield text.subarray(at);
}

async function linesOf(
  pieces: AsyncIterable<Buffer>,
  bytesMax = 100,
): Promise<(string | undefined)[]> {
  const lines: (string | undefined)[] = [];
  for await (const { bytes } of splitLines(pieces, bytesMax)) lines.push(bytes?.toString());
  return lines;
}

describe('lines of a stream', () => {
  it('are the same however the stream is cut', async () => {
    const lines = fc.array(fc.stringMatching(/^[a-zü]{0,9}$/), { minLength: 1, maxLength: 9 });
    const sizes = fc.array(fc.integer({ min: 0, max: 7 }), { maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(lines, sizes, fc.boolean(), async (texts, sizesOf, isEnded) => {
        const whole = Buffer.from(texts.join('\n') + (isEnded ? '\n' : ''));
        const expected = !isEnded && texts.at(-1) === '' ? texts.slice(0, -1) : texts;
        expect(await linesOf(cut(whole, sizesOf))).toEqual(expected);
      }),
    );
  });

  it('may end as on other systems', async () => {
    expect(await linesOf(cut(Buffer.from('a\r\n\r\nb\r\n'), [2, 1]))).toEqual(['a', '', 'b']);
  });

  it('are given up, and not kept, beyond the longest; the next is whole again', async () => {
    const text = Buffer.from(`${'x'.repeat(101)}\n${'y'.repeat(100)}\n${'z'.repeat(5_000)}`);
    expect(await linesOf(cut(text, [50, 50, 50, 50]))).toEqual([
      undefined,
      'y'.repeat(100),
      undefined,
    ]);
  });
});
