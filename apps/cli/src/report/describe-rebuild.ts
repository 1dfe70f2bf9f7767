import type { Difference, FillReport } from '@tandem/core';
import type { Outcome } from '../act.ts';
import { exitCodeOfProof } from '../exit-codes.ts';
import { countsOf, describeDamagedRow, differenceJson } from './describe-verify.ts';
import { escapeValue } from './escape-text.ts';
import { firstRows, timeText } from './text-table.ts';

const SHOWN_MAX = 20;

export function describeRebuild(region: string, report: FillReport, tookMs: number): Outcome {
  const { rowsWritten, archiveRowsCopied, conflictsCopied } = report;
  const { damagedArchiveRows, proof, doubtful } = report;
  const rowsPerS = Math.round(((rowsWritten + archiveRowsCopied) * 1_000) / Math.max(1, tookMs));
  const verdict = proof.isEqual
    ? `${region} is equal as of ${timeText(proof.asOfMs)}, and no longer held.`
    : `${region} is not proven equal (${countsOf(proof)}) and stays held. Run it again.`;
  return {
    text: [
      `${rowsWritten} rows, ${archiveRowsCopied} archive rows and ${conflictsCopied} conflicts in ` +
        `${(tookMs / 1_000).toFixed(1)} s: ${rowsPerS} rows a second.`,
      ...damagedArchiveRows.map((row) =>
        escapeValue(`Damaged in the archive of ${row.region}: ${row.partitionKey}/${row.rowKey}.`),
      ),
      ...proof.damaged.map(describeDamagedRow),
      ...describeDoubtful(doubtful),
      verdict,
    ].join('\n'),
    json: {
      applied: true,
      region,
      equal: proof.isEqual,
      provenEqualAsOfMs: proof.isEqual ? proof.asOfMs : null,
      rowsWritten,
      archiveRowsCopied,
      conflictsCopied,
      different: proof.differentCount,
      conflictsDifferent: proof.journals.differentCount,
      conflictsDamaged: proof.journals.damagedCount,
      damaged: damagedArchiveRows,
      damagedRows: proof.damaged,
      doubtful: doubtful.map(differenceJson),
      tookMs,
      rowsPerS,
    },
    exitCode: exitCodeOfProof(proof),
  };
}

function describeDoubtful(doubtful: readonly Difference[]): string[] {
  const [shown, more] = firstRows(doubtful, SHOWN_MAX);
  if (shown.length === 0) return [];
  const ids = shown.map(({ entityId }) => escapeValue(entityId)).join(', ');
  return [
    `Left alone, for they are older than every tombstone, and lost in one region or deleted in the other: ` +
      `${ids}.${more} See tandem history; then tandem repair --include-old, or delete them.`,
  ];
}
