import { globSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { AREAS } from './areas.ts';

const ROOT = new URL('../../..', import.meta.url).pathname;

describe.each(Object.entries(AREAS))('the area %s', (_, { mutated, tests }) => {
  test('has files to mutate behind every glob', () => {
    for (const glob of mutated) expect(globSync(glob, { cwd: ROOT }), glob).not.toHaveLength(0);
  });

  test('has tests behind every glob', () => {
    for (const glob of tests) expect(globSync(glob, { cwd: ROOT }), glob).not.toHaveLength(0);
  });
});
