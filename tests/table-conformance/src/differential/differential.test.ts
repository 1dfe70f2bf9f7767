import { expect, it } from 'vitest';
import { compareWithAzurite } from '../run-conformance.ts';

const REQUESTS = 3_000;
const TIMEOUT_MS = 240_000;

it(
  'answers as another server of the protocol, but for what that one does otherwise than the service',
  async () => {
    const { first } = await compareWithAzurite({ requests: REQUESTS, seed: 1 });
    expect(first).toEqual([]);
  },
  TIMEOUT_MS,
);
