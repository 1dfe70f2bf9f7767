import type { LookupAddress, LookupOptions } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { describe, expect, it } from 'vitest';
import { createSharedLookup, type ResolveName } from '../monitoring/profile-monitor.ts';

const ADDRESSES: LookupAddress[] = [
  { address: '192.0.2.1', family: 4 },
  { address: '2001:db8::1', family: 6 },
];
const GONE = Object.assign(new Error('gone'), { code: 'ENOTFOUND' });

function ask(lookup: LookupFunction, name: string, options: LookupOptions = {}): Promise<unknown> {
  const { promise, resolve } = Promise.withResolvers<unknown>();
  lookup(name, options, (error, address, family) => resolve(error ?? { address, family }));
  return promise;
}

/** A resolver whose questions are answered by hand, in the order in which they were asked. */
function createResolver() {
  const asked: string[] = [];
  const answers: ((outcome: Awaited<ReturnType<ResolveName>>) => void)[] = [];
  const resolveName: ResolveName = async (hostname) => {
    asked.push(hostname);
    const { promise, resolve } = Promise.withResolvers<Awaited<ReturnType<ResolveName>>>();
    answers.push(resolve);
    return promise;
  };
  return { asked, answers, lookup: createSharedLookup(resolveName) };
}

describe('look-ups of a name', () => {
  it('that overlap ask once and share the addresses', async () => {
    const { asked, answers, lookup } = createResolver();
    const asking = [
      ask(lookup, 'east'),
      ask(lookup, 'east', { all: true }),
      ask(lookup, 'east', { family: 0 }),
    ];
    expect(asked).toEqual(['east']);
    answers[0]?.({ kind: 'found', addresses: ADDRESSES });
    const first = { address: '192.0.2.1', family: 4 };
    expect(await Promise.all(asking)).toEqual([first, { address: ADDRESSES }, first]);
  });

  it('that overlap share a failure, and the next one asks anew', async () => {
    const { asked, answers, lookup } = createResolver();
    const asking = [ask(lookup, 'east'), ask(lookup, 'east')];
    answers[0]?.({ kind: 'failed', error: GONE });
    expect(await Promise.all(asking)).toEqual([GONE, GONE]);
    const next = ask(lookup, 'east', { all: true });
    expect(asked).toEqual(['east', 'east']);
    answers[1]?.({ kind: 'found', addresses: ADDRESSES });
    expect(await next).toEqual({ address: ADDRESSES });
  });

  it('do not wait for those of another name', async () => {
    const { answers, lookup } = createResolver();
    void ask(lookup, 'east');
    const west = ask(lookup, 'west', { all: true });
    answers[1]?.({ kind: 'found', addresses: ADDRESSES });
    expect(await west).toEqual({ address: ADDRESSES });
  });
});

it('asks the operating system unless it is told otherwise', async () => {
  const lookup = createSharedLookup();
  expect(await ask(lookup, '127.0.0.1')).toEqual({ address: '127.0.0.1', family: 4 });
  expect(await ask(lookup, 'no-such-name.invalid')).toMatchObject({ syscall: 'getaddrinfo' });
});
