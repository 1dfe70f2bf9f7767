import type { Slot } from '../processes/slot.ts';
import type { NemesisEvent } from './nemesis-kinds.ts';
import type { Undo } from './run-nemesis.ts';

const SKEW_MS_MAX = 20_000;
const BACK_MS_MAX = 30_000;
const HOUR_MS = 3_600_000;
const AHEAD_HOURS_MAX = 5;
const YEAR_MS = 365 * 24 * HOUR_MS;

/** What goes wrong with the clock of one machine, until someone sets it right. */
export function applyClockFault(event: NemesisEvent, slot: Slot): Undo {
  const { clock } = slot;
  switch (event.kind) {
    case 'clock-skew':
      clock.setOffset(Math.round((event.amount * 2 - 1) * SKEW_MS_MAX));
      break;
    case 'clock-back':
      clock.setOffset(clock.offsetMs - Math.round(event.amount * BACK_MS_MAX));
      break;
    case 'clock-far-ahead':
      clock.setOffset(Math.round((0.05 + event.amount) * AHEAD_HOURS_MAX * HOUR_MS));
      break;
    case 'clock-year-ahead':
      clock.setOffset(YEAR_MS);
      break;
    default:
      clock.freeze();
      return () => clock.unfreeze();
  }
  return () => clock.setOffset(0);
}
