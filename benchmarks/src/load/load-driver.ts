import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type RunningProgram, startProgram } from '../rig/start-program.ts';
import { QUEUE } from '../rig/start-regions.ts';
import type { LoadCommand, LoadReport, LoadSettings } from './load-command.ts';

export interface LoadDriver {
  readonly program: RunningProgram;
  run(command: LoadCommand): Promise<LoadReport>;
}

/** Where a region is that is written to, or looked at. */
interface LoadedRegion {
  readonly tables: string;
  readonly broker: string;
}

/** Starts the process that writes in east, of regions that have the benchmark's own queue. */
export async function startLoad(
  {
    regions: { east, west },
  }: { readonly regions: Readonly<Record<'east' | 'west', LoadedRegion>> },
  options: { readonly bucketCount: number; readonly nodeFlags?: readonly string[] },
): Promise<LoadDriver> {
  const settings: LoadSettings = {
    tables: east.tables,
    peerTables: west.tables,
    peerBroker: west.broker,
    queue: QUEUE,
    bucketCount: options.bucketCount,
  };
  const program = await startProgram({
    name: 'load',
    main: fileURLToPath(new URL('load-process.ts', import.meta.url)),
    args: [JSON.stringify(settings)],
    nodeFlags: options.nodeFlags ?? [],
  });
  return {
    program,
    async run(command) {
      program.child.send(command);
      const [answer] = (await once(program.child, 'message')) as [
        { report?: LoadReport; error?: string },
      ];
      if (answer.report === undefined) throw new Error(answer.error);
      return answer.report;
    },
  };
}
