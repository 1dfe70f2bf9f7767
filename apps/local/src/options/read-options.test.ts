import { describe, expect, it } from 'vitest';
import { readOptions } from './read-options.ts';

const DEFAULTS = {
  regions: ['east', 'west'],
  portBase: 7700,
  data: '.tandem',
  fresh: false,
  fastProbes: false,
};

describe('the options of npm start', () => {
  it.each([
    [[], {}, DEFAULTS],
    [['--'], {}, DEFAULTS],
    [[], { TANDEM_PORT_BASE: '' }, DEFAULTS],
    [[], { TANDEM_PORT_BASE: '9000' }, { ...DEFAULTS, portBase: 9000 }],
    [['--port-base', '8000'], { TANDEM_PORT_BASE: '9000' }, { ...DEFAULTS, portBase: 8000 }],
    [
      ['--data', 'there', '--fresh', '--fast-probes'],
      {},
      { ...DEFAULTS, data: 'there', fresh: true, fastProbes: true },
    ],
    [['--regions', '3'], {}, { ...DEFAULTS, regions: ['east', 'west', 'north'] }],
    [['--regions=2'], {}, DEFAULTS],
    [['--regions', 'tokyo,lima'], {}, { ...DEFAULTS, regions: ['tokyo', 'lima'] }],
  ])('are read from %j and %j', (args, environment, options) => {
    expect(readOptions(args, environment)).toEqual({ kind: 'run', options });
  });

  it.each([
    [['--port-base', '80'], {}, '"80" is no port base: give a whole number from 1024'],
    [[], { TANDEM_PORT_BASE: 'x' }, '"x" is no port base'],
    [['--regions', '1'], {}, '"1" are not 2 to 5: how many'],
    [['--regions', 'tokyo,Lima'], {}, '"Lima" is no name of a region'],
    [['--port'], {}, "unknown option '--port'"],
    [['west'], {}, 'too many arguments'],
  ])('are refused: %j and %j', (args, environment, message) => {
    expect(readOptions(args, environment)).toEqual({
      kind: 'invalid',
      message: expect.stringContaining(message),
    });
  });

  it('are explained together with the ports', () => {
    expect(readOptions(['--help'], {})).toMatchObject({
      kind: 'help',
      text: expect.stringMatching(/--port-base[^]*B\+10 {5}API of the first region/),
    });
  });
});
