import { archiveDiffers } from './archive-differs.ts';
import { archiveIncomplete } from './archive-incomplete.ts';
import { badPage } from './bad-page.ts';
import type { FinalChecker } from './checker.ts';
import { conflictsDiffer, conflictsUntold, conflictUnrecorded } from './conflict-unrecorded.ts';
import { deadLetters } from './dead-letters.ts';
import { decidedApart } from './decided-apart.ts';
import { diverged } from './diverged.ts';
import { falseClaim } from './false-claim.ts';
import { forgotten } from './forgotten.ts';
import { lost } from './lost.ts';
import { outOfOrder } from './out-of-order.ts';
import { oversizedTransaction } from './oversized-transaction.ts';
import { refusedButWritten } from './refused-but-written.ts';
import { replayDiffers } from './replay-differs.ts';
import { resurrected } from './resurrected.ts';
import { runawayClock } from './runaway-clock.ts';
import { unavailable } from './unavailable.ts';
import { undrained } from './undrained.ts';
import { unproven } from './unproven.ts';
import { untrue } from './untrue.ts';
import { writtenTwice } from './written-twice.ts';
import { wrongPartition } from './wrong-partition.ts';
import { wrongReference } from './wrong-reference.ts';
import { wrongRefusal } from './wrong-refusal.ts';
import { wrongType } from './wrong-type.ts';

export const FINAL_CHECKERS: readonly FinalChecker[] = [
  lost,
  resurrected,
  diverged,
  untrue,
  refusedButWritten,
  wrongRefusal,
  writtenTwice,
  wrongType,
  archiveIncomplete,
  archiveDiffers,
  outOfOrder,
  replayDiffers,
  wrongReference,
  wrongPartition,
  conflictUnrecorded,
  conflictsDiffer,
  conflictsUntold,
  undrained,
  deadLetters,
  decidedApart,
  badPage,
  unavailable,
  oversizedTransaction,
  runawayClock,
  falseClaim,
  forgotten,
  unproven,
];
