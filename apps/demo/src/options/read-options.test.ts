import { describe, expect, it } from 'vitest';
import { CONCURRENCY_DEFAULT, readOptions } from './read-options.ts';

const DEFAULTS = {
  regions: ['east', 'west'],
  concurrency: CONCURRENCY_DEFAULT,
  json: false,
  keep: false,
  failOver: false,
};

describe('the options of the demo', () => {
  it.each([
    [[], DEFAULTS],
    [['--'], DEFAULTS],
    [['--', '--json'], { ...DEFAULTS, json: true }],
    [
      ['--customers', 'a.json', '--count', '5', '--concurrency', '1', '--keep', '--fail-over'],
      { ...DEFAULTS, customers: 'a.json', count: 5, concurrency: 1, keep: true, failOver: true },
    ],
    [['--table', 'Orders'], { ...DEFAULTS, table: 'Orders' }],
    [['--regions', 'tokyo,lima,oslo'], { ...DEFAULTS, regions: ['tokyo', 'lima', 'oslo'] }],
  ])('are read from %j', (args, options) => {
    expect(readOptions(args)).toEqual({ kind: 'run', options });
  });

  it.each([
    [['--count', '0'], 'whole number from 1 to 1000000'],
    [['--count', 'many'], 'whole number'],
    [['--concurrency', '257'], 'whole number from 1 to 256'],
    [['--concurrency', '1.5'], 'whole number'],
    [['--customers'], 'argument missing'],
    [['--regions', '1'], '"1" are not 2 to 5'],
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
