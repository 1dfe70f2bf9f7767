import { createLogger } from '@tandem/service-kit';
import { expect, it } from 'vitest';
import { RequestLogger } from '../plugins/request-log.ts';

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;

it('writes every line with the id of the request, and no line below its level', () => {
  const lines: Record<string, unknown>[] = [];
  const parent = createLogger({
    service: 'customer-api',
    region: 'east',
    level: 'debug',
    destination: { write: (line) => void lines.push(JSON.parse(line)) },
  });
  const log = new RequestLogger(parent, { requestId: 'r1' }, {});
  for (const level of LEVELS) log[level]({ event: level }, 'A line.');
  log.child({ part: 'inner' }).info('Another line.');
  expect(lines).toMatchObject([
    ...LEVELS.slice(1).map((level) => ({ level, event: level, requestId: 'r1' })),
    { requestId: 'r1', part: 'inner', message: 'Another line.' },
  ]);
  log.level = 'silent';
  log.error('No line.');
  expect([log.level, lines.length]).toEqual(['silent', LEVELS.length]);
});
