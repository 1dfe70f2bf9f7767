import { describe, expect, it } from 'vitest';
import { describeProblem, readConfig } from './read-config.ts';

const ENDPOINTS = 'east=http://127.0.0.1:8081,west=http://127.0.0.1:8082';

/** Each problem as the line that a person reads. */
function problemsOf(env: Record<string, string>): string[] {
  const outcome = readConfig(env);
  return outcome.kind === 'invalid' ? outcome.problems.map(describeProblem) : [];
}

describe('the settings', () => {
  it('need only the endpoints; the rest is as in Traffic Manager with fast probes', () => {
    expect(readConfig({ ENDPOINTS, PORT: '' })).toEqual({
      kind: 'valid',
      config: {
        listen: { host: '127.0.0.1', port: 8080 },
        allowedHosts: ['localhost'],
        endpoints: [
          { name: 'east', url: 'http://127.0.0.1:8081' },
          { name: 'west', url: 'http://127.0.0.1:8082' },
        ],
        probing: {
          intervalMs: 10_000,
          timeoutMs: 9000,
          toleratedFailures: 3,
          path: '/health/ready',
          ttlMs: 10_000,
        },
      },
    });
  });

  it('are reported all at once, each with its rule and an example', () => {
    const problems = problemsOf({
      ENDPOINTS: 'east=ftp://x,East=http://a:1,c=http://d:1/path',
      PORT: '99999',
      HOST: ' ',
      PROBE_INTERVAL_MS: '500',
      TOLERATED_FAILURES: '10',
      PROBE_PATH: 'health',
      ALLOW_FAST_PROBES: 'no',
    });
    expect(problems.map((line) => line.split(':')[0])).toEqual([
      'PORT',
      'TOLERATED_FAILURES',
      'PROBE_PATH',
      'ALLOW_FAST_PROBES',
      'ENDPOINTS',
      'ENDPOINTS',
      'ENDPOINTS',
    ]);
    expect(problems[0]).toBe(
      'PORT: "99999" cannot be used. Rule: a port from 0 (any free one) to 65535. Example: PORT=8080',
    );
  });

  it('refuse a start without endpoints', () => {
    expect(problemsOf({})).toEqual([expect.stringMatching(/^ENDPOINTS: is required\. Rule: /)]);
  });

  it.each([
    ['east', 'does not begin with a name and ='],
    ['1east=http://a:1', 'does not begin with a name and ='],
    ['east=http://a:1,', 'does not begin with a name and ='],
    ['east=a:1', 'does not name a url'],
    ['east=https://a:1', 'does not name a url'],
    ['east=http://user:secret@a:1', 'does not name a url'],
    ['east=http://a:1?x=1', 'does not name a url'],
    ['east=http://a:1,east=http://b:1', 'the name east is there twice'],
    ['east=http://a:1,west=http://A:1/', 'the url http://a:1 is there twice'],
  ])('refuse the endpoints %s', (endpoints, reason) => {
    expect(problemsOf({ ENDPOINTS: endpoints })).toEqual([expect.stringContaining(reason)]);
  });

  it('refuse more endpoints than a profile can have', () => {
    const many = Array.from({ length: 201 }, (_, index) => `r${index}=http://h:${index + 1}`);
    expect(problemsOf({ ENDPOINTS: many.join(',') })).toEqual([
      expect.stringContaining('201 endpoints, more than 200'),
    ]);
  });

  it.each([
    [{ PROBE_INTERVAL_MS: '10000', PROBE_TIMEOUT_MS: '5000' }],
    [{ PROBE_INTERVAL_MS: '30000', PROBE_TIMEOUT_MS: '10000' }],
    [{ PROBE_INTERVAL_MS: '200', PROBE_TIMEOUT_MS: '100', ALLOW_FAST_PROBES: 'true' }],
    [{ TOLERATED_FAILURES: '0' }],
    [{ TOLERATED_FAILURES: '9' }],
    [{ DNS_TTL_MS: '0' }],
  ])('accept %j', (settings) => {
    expect(problemsOf({ ENDPOINTS, ...settings })).toEqual([]);
  });

  it.each([
    [{ PROBE_INTERVAL_MS: '9999' }, 'set ALLOW_FAST_PROBES=true to allow it'],
    [{ PROBE_INTERVAL_MS: '5', ALLOW_FAST_PROBES: 'true' }, 'PROBE_INTERVAL_MS: "5"'],
    [{ PROBE_INTERVAL_MS: '20000' }, 'neither of the two that Traffic Manager has'],
    [{ PROBE_INTERVAL_MS: '1e4' }, 'PROBE_INTERVAL_MS: "1e4"'],
    [{ PROBE_TIMEOUT_MS: '10000' }, 'not from 5000 to 9000'],
    [{ PROBE_TIMEOUT_MS: '4999' }, 'not from 5000 to 9000'],
    [{ PROBE_INTERVAL_MS: '30000', PROBE_TIMEOUT_MS: '4999' }, 'not from 5000 to 10000'],
    [{ TOLERATED_FAILURES: '-1' }, 'TOLERATED_FAILURES: "-1"'],
    [{ PROBE_PATH: '/a b' }, 'PROBE_PATH: "/a b"'],
    [{ DNS_TTL_MS: '86400001' }, 'DNS_TTL_MS: "86400001"'],
  ])('refuse %j', (settings, reason) => {
    expect(problemsOf({ ENDPOINTS, ...settings })).toEqual([expect.stringContaining(reason)]);
  });

  it('cannot be changed once they are read', () => {
    const outcome = readConfig({ ENDPOINTS });
    expect(outcome.kind === 'valid' && Object.isFrozen(outcome.config.probing)).toBe(true);
  });
});
