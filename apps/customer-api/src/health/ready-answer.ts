import { assertNever } from '@tandem/core';
import type { ReadyAnswer } from '../schemas/health.ts';
import type { ProcessReadiness } from './process-readiness.ts';

export function toReadyAnswer(region: string, readiness: ProcessReadiness): ReadyAnswer {
  if (readiness.kind === 'ready') {
    return { status: 'ready', region, reasons: [], notes: [...readiness.notes] };
  }
  return { status: 'not-ready', region, reasons: readiness.reasons.map(toReason), notes: [] };
}

/** What is not known is left out. */
function toReason(
  reason: Extract<ProcessReadiness, { kind: 'not-ready' }>['reasons'][number],
): ReadyAnswer['reasons'][number] {
  switch (reason.kind) {
    case 'replicator-not-heard':
      return {
        kind: reason.kind,
        ...(reason.ageMs === undefined ? {} : { ageMs: Math.round(reason.ageMs) }),
        ...(reason.aheadMs === undefined ? {} : { aheadMs: Math.round(reason.aheadMs) }),
      };
    case 'behind': {
      const { kind, peer, lagMs } = reason;
      return lagMs === undefined ? { kind, peer } : { kind, peer, lagMs: Math.round(lagMs) };
    }
    case 'held':
      return { kind: reason.kind, why: reason.why };
    case 'out-for-drill':
      return { kind: reason.kind, untilMs: reason.untilMs };
    case 'store-not-answering':
    case 'starting':
    case 'stopping':
      return { kind: reason.kind };
    default:
      return assertNever(reason);
  }
}
