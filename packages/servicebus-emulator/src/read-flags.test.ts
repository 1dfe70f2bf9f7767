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
        namespaces: [],
        allowedHosts: [],
      },
    });
  });

  it('reads every flag', () => {
    const args =
      '--location d --host ::1 --amqp-port 0 --admin-port=65535 --queues a,b --namespaces east ' +
      '--control-port 0 --allowed-hosts Bus.example,b --tls-cert c.pem --tls-key k.pem';
    expect(readFlags(args.split(' '))).toEqual({
      kind: 'start',
      flags: {
        location: 'd',
        host: '::1',
        amqpPort: 0,
        adminPort: 65_535,
        queues: ['a', 'b'],
        namespaces: ['east'],
        allowedHosts: ['bus.example', 'b'],
        controlPort: 0,
        tlsFiles: { cert: 'c.pem', key: 'k.pem' },
      },
    });
    expect(readFlags(['--help'])).toEqual({ kind: 'help' });
  });

  it.each([
    [['--amqp-port', 'x'], '--amqp-port must be a number'],
    [['--admin-port', '65536'], '--admin-port must be a number'],
    [['--control-port', '-1'], '--control-port'],
    [['--tls-cert', 'c.pem'], 'both or neither'],
    [['--unknown'], '--unknown'],
    [['stray'], 'stray'],
  ])('refuses %j and names it', (args, text) => {
    const result = readFlags(args);
    expect(result).toMatchObject({ kind: 'invalid' });
    expect(result.kind === 'invalid' && result.problem).toContain(text);
  });
});
