// Looks up the endpoints' names. The operating system answers few questions at once: Node gives it four
// threads. A name that is gone is answered late, and were every request to a dead endpoint to ask for
// it, the probes of the living ones would wait behind them until their time-outs.
import { lookup, type LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';

type Outcome =
  | { readonly kind: 'found'; readonly addresses: readonly LookupAddress[] }
  | { readonly kind: 'failed'; readonly error: NodeJS.ErrnoException };

/** All addresses of a name, at least one. Never rejects. */
export type ResolveName = (hostname: string) => Promise<Outcome>;

const askSystem: ResolveName = async (hostname) => {
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  lookup(hostname, { all: true }, (error, addresses) =>
    resolve(error === null ? { kind: 'found', addresses } : { kind: 'failed', error }),
  );
  return promise;
};

/**
 * A look-up that asks for each name one question at a time: who asks while one is under way shares its
 * outcome, a failure too. Nothing is remembered beyond that, so a name that comes back is found.
 */
export function createSharedLookup(resolveName: ResolveName = askSystem): LookupFunction {
  const asking = new Map<string, Promise<Outcome>>();
  const ask = (hostname: string): Promise<Outcome> => {
    const underWay = asking.get(hostname);
    if (underWay !== undefined) return underWay;
    const asked = resolveName(hostname).finally(() => asking.delete(hostname));
    asking.set(hostname, asked);
    return asked;
  };
  return (hostname, { all }, answer) => {
    void ask(hostname).then((outcome) => {
      if (outcome.kind === 'failed') return answer(outcome.error, []);
      const [first] = outcome.addresses;
      return all === true || first === undefined
        ? answer(null, [...outcome.addresses])
        : answer(null, first.address, first.family);
    });
  };
}
