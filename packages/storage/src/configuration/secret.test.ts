import { format, inspect } from 'node:util';
import { expect, test } from 'vitest';
import { createSecret } from './setting.ts';

test('a secret prints itself in no way, and is still there', () => {
  const secret = createSecret('hush');
  const error = new Error(`with ${String(secret)}`, { cause: secret });
  const printed = [
    String(secret),
    JSON.stringify({ secret }),
    inspect({ nested: [secret] }, { depth: 9, showHidden: true }),
    format('%s %o %j', secret, secret, secret),
    inspect(error),
  ].join();
  expect(printed).not.toContain('hush');
  expect(printed).toContain('[secret]');
  expect(secret.reveal()).toBe('hush');
});
