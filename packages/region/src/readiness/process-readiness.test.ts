import { expect, it } from 'vitest';
import { createProcessReadiness, createServing, type RegionReadiness } from './region-readiness.ts';

it('serves from the opening of the region to its stop, also while the region is not ready', () => {
  const stopping = new AbortController();
  let region: RegionReadiness | undefined;
  const serving = createServing({ region: () => region, stopping: stopping.signal });
  expect(serving()).toEqual({ kind: 'not-ready', reasons: [{ kind: 'starting' }] });
  region = async () => ({ kind: 'not-ready', reasons: [{ kind: 'store-not-answering' }] });
  expect(serving()).toEqual({ kind: 'ready', notes: [] });
  stopping.abort();
  expect(serving()).toEqual({ kind: 'not-ready', reasons: [{ kind: 'stopping' }] });
});

it('is red until the region is opened, then says what the region says, and red once it stops', async () => {
  const stopping = new AbortController();
  let region: RegionReadiness | undefined;
  const readiness = createProcessReadiness({ region: () => region, stopping: stopping.signal });
  expect(await readiness()).toEqual({ kind: 'not-ready', reasons: [{ kind: 'starting' }] });
  region = async () => ({ kind: 'ready', notes: ['west: not heard, let through'] });
  expect(await readiness()).toEqual({ kind: 'ready', notes: ['west: not heard, let through'] });
  stopping.abort();
  expect(await readiness()).toEqual({ kind: 'not-ready', reasons: [{ kind: 'stopping' }] });
});
