import { describe, expect, it } from 'vitest';
import { readConfig } from './config.ts';

const GOOD = { REGION_ID: 'east', STORAGE_CONNECTION: 'UseDevelopmentStorage=true', PORT: '8080' };

describe('readConfig', () => {
  it('reads what is set and fills in the rest', () => {
    expect(readConfig(GOOD)).toEqual({
      ok: true,
      config: {
        region: 'east',
        storageConnection: 'UseDevelopmentStorage=true',
        listen: { host: '127.0.0.1', port: 8080 },
        auth: undefined,
        judgeRequest: expect.any(Function),
        requestsPerMinuteMax: 60_000,
        logLevel: 'info',
        shutdownMs: 20_000,
        environment: GOOD,
      },
    });
  });

  it('G1: takes any name where tokens are asked for, unless some are named', () => {
    const auth = { AUTH_ISSUER: 'https://a.example', AUTH_AUDIENCE: 'api' };
    const judgeOf = (environment: object) => {
      const reading = readConfig({ ...GOOD, ...environment });
      return reading.ok ? reading.config.judgeRequest : undefined;
    };
    const facts = (host: string) => ({ method: 'GET', target: '/', rawHeaders: ['Host', host] });
    expect(judgeOf(auth)).toBeUndefined();
    const named = judgeOf({ ...auth, ALLOWED_HOSTS: 'api.example.com' });
    expect(named?.(facts('evil.example'))).toMatchObject({ kind: 'refused' });
    expect(named?.(facts('api.example.com'))).toEqual({ kind: 'taken' });
    expect(judgeOf({})?.(facts('evil.example'))).toMatchObject({ kind: 'refused' });
    expect(
      judgeOf({ AUTH_OPEN_NETWORK: 'true', HOST: '0.0.0.0' })?.(facts('evil.example')),
    ).toMatchObject({ kind: 'refused' });
  });

  it('takes port 0, and no storage when all is kept in memory', () => {
    const reading = readConfig({
      REGION_ID: 'east',
      PORT: '0',
      STORAGE_CONNECTION: '',
      CUSTOMER_DATA_ACCESS: 'memory',
    });
    expect(reading).toMatchObject({
      ok: true,
      config: { storageConnection: undefined, listen: { port: 0 } },
    });
  });

  it('lists every problem at once, by variable', () => {
    const reading = readConfig({ PORT: 'x', LOG_LEVEL: 'loud', SHUTDOWN_DEADLINE_MS: '-5' });
    if (reading.ok) throw new Error('the environment was bad');
    expect(reading.problems.map((problem) => problem.split(' ')[0])).toEqual([
      'REGION_ID',
      'PORT',
      'LOG_LEVEL',
      'SHUTDOWN_DEADLINE_MS',
      'STORAGE_CONNECTION',
    ]);
  });

  it.each([
    ['REGION_ID', 'East-1'],
    ['PORT', '65536'],
    ['STORAGE_CONNECTION', ' '],
  ])('refuses %s=%j without repeating a value', (variable, value) => {
    const reading = readConfig({ ...GOOD, [variable]: value });
    if (reading.ok) throw new Error('the environment was bad');
    expect(reading.problems).toHaveLength(1);
    expect(reading.problems[0]).toMatch(new RegExp(`^${variable} `));
  });

  it.each(['127.0.0.1', 'localhost', '::1', '127.1.2.3'])('takes no issuer on %s', (host) => {
    expect(readConfig({ ...GOOD, HOST: host }).ok).toBe(true);
  });

  it.each([
    [{ HOST: '0.0.0.0' }, /^AUTH_ISSUER is not set and HOST is no loopback address/],
    [{ HOST: '127.0.0.1.example.com' }, /^AUTH_ISSUER is not set/],
    [{ AUTH_ISSUER: 'https://issuer.example' }, /must be set together/],
    [{ AUTH_AUDIENCE: 'api://tandem' }, /must be set together/],
    [{ AUTH_ISSUER: 'http://issuer.example', AUTH_AUDIENCE: 'a' }, /https/],
    [{ AUTH_ISSUER: 'https://[', AUTH_AUDIENCE: 'a' }, /https/],
  ])('refuses %j', (environment, problem) => {
    const reading = readConfig({ ...GOOD, ...environment });
    expect(reading.ok ? [] : reading.problems).toEqual([expect.stringMatching(problem)]);
  });

  it('listens anywhere with an issuer, or in a network that is declared closed', () => {
    const auth = { AUTH_ISSUER: 'https://issuer.example', AUTH_AUDIENCE: 'api://tandem' };
    const reading = readConfig({ ...GOOD, HOST: '0.0.0.0', ...auth });
    expect(reading).toMatchObject({
      ok: true,
      config: {
        auth: { issuer: 'https://issuer.example', audience: 'api://tandem', tokenType: 'at+jwt' },
      },
    });
    const entra = 'https://login.microsoftonline.com/0a1b/v2.0';
    for (const [more, tokenType] of [
      [{ AUTH_ISSUER: entra }, 'jwt'],
      [{ AUTH_ISSUER: entra, AUTH_TOKEN_TYPE: 'at+jwt' }, 'at+jwt'],
      [{ AUTH_TOKEN_TYPE: 'jwt' }, 'jwt'],
    ] as const) {
      const own = readConfig({ ...GOOD, ...auth, ...more });
      expect(own).toMatchObject({ ok: true, config: { auth: { tokenType } } });
    }
    expect(readConfig({ ...GOOD, ...auth, AUTH_TOKEN_TYPE: 'any' }).ok).toBe(false);
    const closed = { ...GOOD, HOST: '0.0.0.0', AUTH_OPEN_NETWORK: 'true' };
    expect(readConfig(closed)).toMatchObject({ ok: true, config: { auth: undefined } });
  });
});
