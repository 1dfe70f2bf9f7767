import { describe, expect, it } from 'vitest';
import { listPorts, PORT_BLOCK_SIZE, parsePortBase, planPorts, REGIONS_MAX } from './port-plan.ts';

const NAMES = Array.from({ length: REGIONS_MAX }, (_, index) => `r${index}`);

describe('the ports of a cluster', () => {
  it('are one block, every port once', () => {
    const ports = listPorts(planPorts(7700, NAMES)).map(({ port }) => port);
    expect(new Set(ports).size).toBe(ports.length);
    expect(Math.min(...ports)).toBe(7700);
    expect(Math.max(...ports)).toBeLessThan(7700 + PORT_BLOCK_SIZE - 1);
  });

  it('are where the documentation says', () => {
    expect(planPorts(7700, ['east', 'west'])).toEqual({
      trafficManager: 7700,
      console: 7701,
      regions: {
        east: {
          api: 7710,
          replicator: 7711,
          tables: 7712,
          broker: 7713,
          brokerAdmin: 7714,
          tableEndpoint: 7715,
        },
        west: {
          api: 7720,
          replicator: 7721,
          tables: 7722,
          broker: 7723,
          brokerAdmin: 7724,
          tableEndpoint: 7725,
        },
      },
    });
  });

  it('do not move when a region is added behind the others', () => {
    const two = planPorts(7700, ['east', 'west']).regions;
    expect(planPorts(7700, ['east', 'west', 'north']).regions).toMatchObject(two);
  });

  it.each(['1024', ' 7700 ', '65436'])('can begin at %s', (text) => {
    expect(parsePortBase(text)).toEqual({ kind: 'base', base: Number(text) });
  });

  it.each(['', '80', '1023', '65437', '70000', '77a', '-1', '1e4', '7700.5'])(
    'cannot begin at "%s"',
    (text) => {
      expect(parsePortBase(text)).toEqual({
        kind: 'problem',
        problem: `"${text}" is no port base: give a whole number from 1024 to 65436, for example 7700.`,
      });
    },
  );
});
