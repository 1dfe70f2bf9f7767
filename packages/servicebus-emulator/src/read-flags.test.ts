import { describe, expect, it } from 'vitest';
import { readFlags } from './read-flags.ts';

describe('the command line', () => {
  it('has defaults for everything', () => {
    expect(readFlags([])).toEqual({
      kind: 'start',
      flags: {
        location: undefined,
        host: '127.0.0.1',
        amqpPort: 5672,
        adminPort: 5300,
        queues: [],
      },
    });
  });

  it('reads every flag', () => {
    const args = '--location d --host ::1 --amqp-port 0 --admin-port=65535 --queues a,b'.split(' ');
    expect(readFlags(args)).toEqual({
      kind: 'start',
      flags: { location: 'd', host: '::1', amqpPort: 0, adminPort: 65_535, queues: ['a', 'b'] },
    });
    expect(readFlags(['--help'])).toEqual({ kind: 'help' });
  });

  it.each([
    [['--amqp-port', 'x'], '--amqp-port must be a number'],
    [['--admin-port', '65536'], '--admin-port must be a number'],
    [['--unknown'], '--unknown'],
    [['stray'], 'stray'],
  ])('refuses %j and names it', (args, text) => {
    const result = readFlags(args);
    expect(result).toMatchObject({ kind: 'invalid' });
    expect(result.kind === 'invalid' && result.problem).toContain(text);
  });
});
