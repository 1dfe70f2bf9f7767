import { describe, expect, it } from 'vitest';
import { checkRegions } from './start-cluster.ts';

describe('the regions of a cluster', () => {
  it.each([[['east']], [['east', 'west']], [['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i']]])(
    'can be %j',
    (names) => {
      expect(() => checkRegions(names)).not.toThrow();
    },
  );

  it.each([
    [[], 'There are 0 regions: a cluster has 1 to 9.'],
    [Array.from({ length: 10 }, (_, index) => `r${index}`), 'There are 10 regions'],
    [['east', 'East'], '"East" is no name of a region'],
    [['north-east'], '"north-east" is no name of a region'],
    [['east', 'west', 'east'], 'The region east is there twice.'],
  ])('cannot be %j', (names, message) => {
    expect(() => checkRegions(names)).toThrow(message);
  });
});
