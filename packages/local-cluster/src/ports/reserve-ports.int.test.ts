import { describe, expect, it, onTestFinished } from 'vitest';
import { LocalClusterError } from '../local-cluster-error.ts';
import {
  holdPort,
  type ReservedPorts,
  releasePort,
  reserveFreePorts,
  reservePortsAt,
} from './port-plan.ts';

const REGIONS = ['east', 'west'];

async function reserve(): Promise<ReservedPorts> {
  const reserved = await reserveFreePorts(REGIONS);
  onTestFinished(() => reserved.release());
  return reserved;
}

describe('reserving ports', () => {
  it('never gives the same block to two clusters that start together', async () => {
    const reserved = await Promise.all(Array.from({ length: 8 }, reserve));
    expect(new Set(reserved.map(({ base }) => base)).size).toBe(8);
  });

  it('stays below the ports that systems give to outgoing connections', async () => {
    const { base } = await reserve();
    expect(base).toBeGreaterThanOrEqual(20_000);
    expect(base).toBeLessThan(32_000);
  });

  it('says which port is taken, who wants it and how to choose others', async () => {
    const { base, plan } = await reserve();
    const taken = plan.regions['west']?.tables ?? 0;
    const holder = await holdPort(taken);
    onTestFinished(async () => {
      if (holder !== undefined) await releasePort(holder);
    });
    const failure = await reservePortsAt(base, REGIONS).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(LocalClusterError);
    expect(failure).toMatchObject({ code: 'PORTS_TAKEN' });
    expect((failure as Error).message).toBe(
      [
        'These ports of 127.0.0.1 are already in use:',
        `  port ${taken}, wanted by the tables of west`,
        `Nothing was started. Stop what holds them, or choose other ports: --port-base ${base + 100} or TANDEM_PORT_BASE=${base + 100}.`,
      ].join('\n'),
    );
  });
});
