import type { ClusterEvent } from '@tandem/local-cluster';
import { expect, it } from 'vitest';
import { describeEvent } from './describe-cluster.ts';

it.each<[ClusterEvent, RegExp]>([
  [{ kind: 'starting', process: 'API of east' }, /^$/],
  [{ kind: 'ready', process: 'API of east', durationMs: 812 }, /API of east: listening after 812/],
  [{ kind: 'ended', process: 'API of east', message: 'why' }, /^why$/],
  [{ kind: 'restarting', process: 'API of east', delayMs: 500 }, /started again in 500 ms/],
  [{ kind: 'given-up', process: 'API of east', tries: 5 }, /ended 6 times in a row/],
  [{ kind: 'killed', process: 'API of east' }, /was killed/],
])('tells a person of %j', (event, text) => {
  const told = describeEvent(event);
  expect(told ?? '').toMatch(text);
});
