import { randomUUID } from 'node:crypto';
import type { Randomness } from '@tandem/core';

export function createSystemRandomness(): Randomness {
  return { fraction: () => Math.random(), uuid: () => randomUUID() };
}
