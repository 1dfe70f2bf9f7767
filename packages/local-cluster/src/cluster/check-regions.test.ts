import { describe, expect, it } from 'vitest';
import { checkRegions, parseRegions } from './cluster.ts';

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
    [
      ['east', 'old'],
      '"old" is no name of a region: use a-z and 0-9, a letter first, at most 31, and not "old"',
    ],
    [['east', 'west', 'east'], 'The region east is there twice.'],
  ])('cannot be %j', (names, message) => {
    expect(() => checkRegions(names)).toThrow(message);
  });

  it.each([
    ['3', ['east', 'west', 'north']],
    ['tokyo,lima', ['tokyo', 'lima']],
    ['tokyo, lima, oslo, cairo, perth', ['tokyo', 'lima', 'oslo', 'cairo', 'perth']],
  ])('are read from %j', (text, regions) => {
    expect(parseRegions(text)).toEqual({ kind: 'regions', regions });
  });

  it.each([
    ['1', '"1" are not 2 to 5'],
    ['6', 'not 2 to 5: how many (east, west, north, south, center), or their names'],
    ['', '"" are not 2 to 5'],
    ['three', 'not 2 to 5'],
    ['a,b,c,d,e,f', 'not 2 to 5'],
    ['tokyo,Lima', '"Lima" is no name of a region'],
    ['tokyo,', '"" is no name of a region'],
    ['3,4', '"3" is no name of a region'],
    ['tokyo,lima,tokyo', 'The region tokyo is there twice.'],
  ])('are not read from %j', (text, problem) => {
    expect(parseRegions(text)).toEqual({
      kind: 'problem',
      problem: expect.stringContaining(problem),
    });
  });
});
