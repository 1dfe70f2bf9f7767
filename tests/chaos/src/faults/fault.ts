import type { WireMode } from '../network/tcp-wire.ts';
import { unknownKind } from '../unknown-kind.ts';

/** One thing that is done to the cluster, and undone after a time. */
export type Fault = { readonly atMs: number; readonly durationMs: number } & FaultKind;

export type FaultKind =
  /** SIGKILL, and a start when the time is over. */
  | { readonly kind: 'kill'; readonly process: string }
  /** SIGSTOP, and SIGCONT when the time is over. */
  | { readonly kind: 'pause'; readonly process: string }
  /** The same for longer than any call waits: tens of seconds to minutes, with every connection open. */
  | { readonly kind: 'freeze'; readonly process: string }
  /** The tables are told to stop, and save: Azurite would lose what it has acknowledged otherwise. */
  | { readonly kind: 'stop-tables'; readonly region: string }
  /** Everything of it at once. */
  | { readonly kind: 'lose-region'; readonly region: string }
  | {
      readonly kind: 'wires';
      readonly wires: readonly string[];
      readonly mode: WireMode;
      /** Whether what waited is lost with its connections in the end, or arrives late. */
      readonly endsWithReset: boolean;
    };

export function describeFault(fault: Fault): string {
  const forMs = `for ${fault.durationMs} ms`;
  switch (fault.kind) {
    case 'kill':
      return `kill ${fault.process}, down ${forMs}`;
    case 'pause':
    case 'freeze':
      return `${fault.kind} ${fault.process} ${forMs}`;
    case 'stop-tables':
      return `stop the tables of ${fault.region}, down ${forMs}`;
    case 'lose-region':
      return `lose ${fault.region} ${forMs}`;
    case 'wires': {
      const mode = describeMode(fault.mode);
      return `${mode}${fault.endsWithReset ? ' and reset' : ''} ${forMs}: ${fault.wires.join(', ')}`;
    }
    default:
      return unknownKind(fault);
  }
}

function describeMode(mode: WireMode): string {
  switch (mode.kind) {
    case 'open':
    case 'cut':
      return mode.kind;
    case 'stalled':
      return mode.what === 'both' ? 'stall' : `stall ${mode.what}`;
    case 'throttled':
      return `throttle to ${mode.bytesPerSecond} bytes/s`;
    default:
      return unknownKind(mode);
  }
}
