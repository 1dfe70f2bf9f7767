import type { Operation } from '../history/operation.ts';
import { unknownKind } from '../unknown-kind.ts';
import type { Flaw } from './judge-state.ts';

export function describeFlaw(flaw: Flaw): string {
  switch (flaw.kind) {
    case 'missing':
      return `${flaw.field} lacks ${describeOperation(flaw.write)} and nothing later explains it`;
    case 'revived':
      return `it is alive after ${describeOperation(flaw.deletion)} without a later write`;
    case 'never-written':
      return flaw.by.length === 0
        ? `nobody wrote ${flaw.what}`
        : `${flaw.what} was refused: ${flaw.by.map(describeOperation).join(', ')}`;
    default:
      return unknownKind(flaw);
  }
}

export function operationsOf(flaw: Flaw): number[] {
  switch (flaw.kind) {
    case 'missing':
      return [flaw.write.id];
    case 'revived':
      return [flaw.deletion.id];
    case 'never-written':
      return flaw.by.map(({ id }) => id);
    default:
      return unknownKind(flaw);
  }
}

function describeOperation({ id, action, via, startMs, endMs }: Operation): string {
  return `${action} #${id} via ${via} (${Math.round(startMs)} to ${Math.round(endMs)} ms)`;
}
