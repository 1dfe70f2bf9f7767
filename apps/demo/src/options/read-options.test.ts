import { describe, expect, it } from 'vitest';
import { CONCURRENCY_DEFAULT, readOptions } from './read-options.ts';

const DEFAULTS = { concurrency: CONCURRENCY_DEFAULT, json: false, keep: false, failOver: false };

describe('the options of the demo', () => {
  it.each([
    [[], DEFAULTS],
    [['--'], DEFAULTS],
    [['--', '--json'], { ...DEFAULTS, json: true }],
    [
      ['--customers', 'a.json', '--count', '5', '--concurrency', '1', '--keep', '--fail-over'],
      { customers: 'a.json', count: 5, concurrency: 1, json: false, keep: true, failOver: true },
    ],
    [['--table', 'Orders'], { ...DEFAULTS, table: 'Orders' }],
  ])('are read from %j', (args, options) => {
    expect(readOptions(args)).toEqual({ kind: 'run', options });
  });

  it.each([
    [['--count', '0'], 'whole number from 1 to 1000000'],
    [['--count', 'many'], 'whole number'],
    [['--concurrency', '257'], 'whole number from 1 to 256'],
    [['--concurrency', '1.5'], 'whole number'],
    [['--customers'], 'argument missing'],
    [['--table', 'a-b'], '3 to 63 letters and digits'],
    [['--fast'], "unknown option '--fast'"],
    [['file.json'], 'too many arguments'],
  ])('are refused: %j', (args, message) => {
    expect(readOptions(args)).toEqual({
      kind: 'invalid',
      message: expect.stringContaining(message),
    });
  });

  it('are explained, and so is how the lag is measured', () => {
    const reading = readOptions(['--help']);
    expect(reading.kind).toBe('help');
    expect(reading).toMatchObject({ text: expect.stringContaining('How the lag is measured') });
  });
});
