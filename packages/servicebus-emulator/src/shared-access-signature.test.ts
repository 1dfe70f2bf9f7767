import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { coversResource, verifySignature } from './shared-access-signature.ts';

const rules = [{ name: 'root', key: 'c2VjcmV0' }];
const nowMs = 1_700_000_000_000;
const resource = encodeURIComponent('sb://127.0.0.1:5672/q');

interface TokenFields {
  readonly se?: number | string;
  readonly key?: string;
  readonly skn?: string;
  readonly sr?: string;
}

function token({
  se = 1_700_000_001,
  key = 'c2VjcmV0',
  skn = 'root',
  sr = resource,
}: TokenFields = {}): string {
  const sig = createHmac('sha256', key).update(`${sr}\n${se}`).digest('base64');
  return `SharedAccessSignature sr=${sr}&sig=${encodeURIComponent(sig)}&se=${se}&skn=${skn}`;
}

describe('a shared access signature', () => {
  it('is valid when signed with the key, and tells the resource', () => {
    expect(verifySignature(token(), { rules, nowMs })).toEqual({
      kind: 'valid',
      resource: 'sb://127.0.0.1:5672/q',
      rule: rules[0],
      expiresAtMs: 1_700_000_001_000,
    });
  });

  it.each([
    ['expired', token({ se: 1_700_000_000 }), 'ExpiredToken'],
    ['without an expiry', token({ se: Number.NaN }), 'MalformedToken'],
    ['signed with another key', token({ key: 'x' }), 'InvalidSignature'],
    ['of another key name', token({ skn: 'other' }), 'InvalidSignature'],
    ['changed', token().replace('5672', '5673'), 'InvalidSignature'],
    ['another kind of token', 'Bearer eyJ', 'MalformedToken'],
    ['badly escaped', token({ skn: '%zz' }), 'MalformedToken'],
    ['incomplete', 'SharedAccessSignature sr=a', 'MalformedToken'],
  ])('is invalid when it is %s', (_, text, reason) => {
    const verdict = verifySignature(text, { rules, nowMs });
    expect(verdict).toMatchObject({ kind: 'invalid' });
    expect(verdict.kind === 'invalid' && verdict.reason).toContain(reason);
  });
});

describe('H12: a shared access signature', () => {
  it.each(['Infinity', '1e99', '0x7fffffffffff', '-1', ' 9999999999', '1700000001.5', ''])(
    'is refused when it ends at "%s"',
    (se) => {
      expect(verifySignature(token({ se }), { rules, nowMs })).toMatchObject({ kind: 'invalid' });
    },
  );

  it.each([
    ['sb://127.0.0.1:5672/q', { host: '127.0.0.1:5300', path: 'q' }, true],
    ['http://localhost/', { host: '127.0.0.1:5300', path: '$Resources/Queues' }, true],
    [
      'sb://east.servicebus.windows.net/Q/',
      { host: 'EAST.servicebus.windows.net', path: 'q' },
      true,
    ],
    ['sb://127.0.0.1/q', { host: '127.0.0.1', path: 'q/$deadletterqueue' }, true],
    ['sb://[::1]:5672/q', { host: 'localhost', path: 'q' }, true],
    ['sb://127.0.0.1/q', { host: '127.0.0.1', path: 'queue' }, false],
    ['sb://127.0.0.1/q', { host: '127.0.0.1', path: '' }, false],
    [
      'sb://west.servicebus.windows.net/',
      { host: 'east.servicebus.windows.net', path: 'q' },
      false,
    ],
    ['', { host: 'east', path: 'q' }, false],
  ])('for "%s" covers %o: %s', (resource, asked, covers) => {
    expect(coversResource(resource, asked)).toBe(covers);
  });
});
