import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { verifySignature } from './shared-access-signature.ts';

const rules = [{ name: 'root', key: 'c2VjcmV0' }];
const nowMs = 1_700_000_000_000;
const resource = encodeURIComponent('sb://127.0.0.1:5672/q');

function token({ se = 1_700_000_001, key = 'c2VjcmV0', skn = 'root', sr = resource } = {}): string {
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
    ['without an expiry', token({ se: Number.NaN }), 'ExpiredToken'],
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
