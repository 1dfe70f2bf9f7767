import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type CsvRecord, csvLine, readCsv } from './csv.ts';

const BOUNDS = { unitsMax: 200, fieldsMax: 5 };

/** Cut where `sizes` say, as a stream cuts a file. */
async function* inChunks(text: string, sizes: Iterable<number>): AsyncGenerator<string> {
  let at = 0;
  for (const size of sizes) {
    if (at >= text.length) return;
    yield text.slice(at, at + size);
    at += size;
  }
  yield text.slice(at);
}

async function read(text: string, sizes: Iterable<number> = []): Promise<CsvRecord[]> {
  const records: CsvRecord[] = [];
  for await (const one of readCsv(inChunks(text, sizes), BOUNDS)) records.push(one);
  return records;
}

const textsOf = (records: readonly CsvRecord[]): unknown[] =>
  records.map((record) =>
    record.kind === 'faulty' ? record.problem : record.fields.map(({ text }) => text),
  );

describe('comma-separated values', () => {
  test.each([
    [
      'a,b\r\nc,d\r\n',
      [
        ['a', 'b'],
        ['c', 'd'],
      ],
    ],
    [
      '\uFEFFa,b\n\n"c","d"',
      [
        ['a', 'b'],
        ['c', 'd'],
      ],
    ],
    ['"a,""b""\r\n",', [['a,"b"\r\n', '']]],
    ['a b , c\r\n', [['a b ', ' c']]],
    ['""\r\n', [['']]],
    ['', []],
    ['\uD83D\uDE00,\u2028\n', [['\uD83D\uDE00', '\u2028']]],
  ])('%j is read', async (text, expected) => {
    expect(textsOf(await read(text))).toEqual(expected);
  });

  test('an empty text is told from nothing', async () => {
    expect(await read('"",\r\n')).toEqual([
      {
        kind: 'record',
        fields: [
          { text: '', isQuoted: true },
          { text: '', isQuoted: false },
        ],
      },
    ]);
  });

  test.each([
    ['a"b,c\nd\n', ['has a quote within a field that is not quoted', ['d']]],
    ['"a"b\nd\n', ['has something behind a quoted field', ['d']]],
    ['"a\nb', ['ends within a quoted field']],
    ['a,b,c,d,e,f\ng\n', ['has more than 5 fields', ['g']]],
    [`${'x'.repeat(201)}\ny\n`, ['has more than 200 characters', ['y']]],
    [`"${'x\n'.repeat(150)}"\ny\n`, ['has more than 200 characters', ['y']]],
  ])('%j names its fault, and what follows is read', async (text, expected) => {
    expect(textsOf(await read(text))).toEqual(expected);
  });

  test('what is written is read back, wherever the stream is cut', async () => {
    const field = fc.option(
      fc.oneof(
        fc.string({ unit: 'binary', maxLength: 8 }),
        fc.constantFrom('"', ',', '\r', '\n', '', ' x '),
      ),
      { nil: undefined },
    );
    const record = fc.array(field, { minLength: 2, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(record, { maxLength: 4 }),
        fc.array(fc.integer({ min: 1, max: 7 }), { maxLength: 60 }),
        async (records, sizes) => {
          const text = records.map(csvLine).join('');
          const expected = records.map((fields) => ({
            kind: 'record',
            fields: fields.map((one) => ({
              text: one ?? '',
              isQuoted: one === '' || /[",\r\n]|^\s|\s$|^\uFEFF/.test(one ?? ''),
            })),
          }));
          expect(await read(text, sizes)).toEqual(expected);
        },
      ),
    );
  });
});
