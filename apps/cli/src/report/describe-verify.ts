import { createHash } from 'node:crypto';
import {
  type Conflict,
  type ConflictDifference,
  type DamagedRow,
  type Difference,
  decodeOpenId,
  stampTimeMs,
  type VerifyReport,
} from '@tandem/core';
import { escapeValue } from './escape-text.ts';
import { firstRows, textTable, timeText } from './text-table.ts';

const SHOWN_MAX = 20;

export interface VerifyCost {
  /** Is kept by region. */
  readonly requests: Readonly<Record<string, number>>;
  readonly tookMs: number;
}

export function describeVerify(report: VerifyReport, { requests, tookMs }: VerifyCost): string {
  const regions = [...(report.buckets[0]?.rows.keys() ?? [])];
  const table = textTable(
    [
      'bucket',
      ...regions.map((region) => `${region} rows`),
      ...regions.map((one) => `${one} digest`),
    ],
    report.buckets.map(({ bucket, rows, digests }) => [
      bucket,
      ...regions.map((region) => String(rows.get(region) ?? 0)),
      ...regions.map((region) => digests.get(region) ?? ''),
    ]),
  );
  const rows = report.buckets.reduce(
    (sum, one) => sum + [...one.rows.values()].reduce((a, b) => a + b, 0),
    0,
  );
  const conflicts = [...report.journals.recorded.values()].reduce((a, b) => a + b, 0);
  const held = regions.map((region) => {
    const bytes = report.buckets.reduce((sum, one) => sum + (one.bytes.get(region) ?? 0), 0);
    return `${region} ${bytes.toLocaleString('en')} bytes`;
  });
  const cost = Object.entries(requests).map(([region, count]) => `${region} ${count}`);
  return [
    table,
    ...(report.differences.length === 0 ? [] : [describeDifferences(report.differences)]),
    ...describeConflictDifferences(report.journals.differences, 'lacking in'),
    ...report.damaged.map(describeDamagedRow),
    verdict(report),
    ...(held.length === 0
      ? []
      : [`What clients wrote, by the formula of Table Storage: ${held.join(', ')}.`]),
    `Read ${rows} rows and ${conflicts} conflicts in ${(tookMs / 1_000).toFixed(1)} s; requests: ${cost.join(', ')}.`,
  ].join('\n');
}

export function describeDamagedRow(row: DamagedRow): string {
  const { region, bucket, rowKey, problem, isForeign } = row;
  const what = escapeValue(`Damaged in ${region}: row ${bucket}/${rowKey}: ${problem}`);
  const note = isForeign ? ' (none of ours)' : '';
  return `${what}${note} Set it aside, then repair. See: tandem damaged-rows list --region ${region}.`;
}

function verdict(report: VerifyReport): string {
  const { isEqual, asOfMs, journals } = report;
  const settledCount = report.settledCount + journals.settledCount;
  const settled = settledCount === 0 ? '' : ` (${settledCount} were on their way and have arrived)`;
  if (isEqual) return `Equal as of ${timeText(asOfMs)}${settled}.`;
  return `Not equal as of ${timeText(asOfMs)}: ${countsOf(report)}${settled}. See: tandem repair.`;
}

/** Says how much of what a proof needs is not so. */
export function countsOf({ differentCount, damaged, journals }: VerifyReport): string {
  const counts = `${differentCount} rows differ, ${damaged.length} are damaged`;
  return [
    counts,
    ...(journals.differentCount === 0
      ? []
      : [`${journals.differentCount} conflicts are not recorded everywhere`]),
    ...(journals.damagedCount === 0
      ? []
      : [
          `${journals.damagedCount} records of conflicts cannot be read (tandem damaged-rows list)`,
        ]),
  ].join(', ');
}

function describeDifferences(differences: readonly Difference[]): string {
  const [shown, more] = firstRows(differences, SHOWN_MAX);
  const rows = shown.map(({ entityId, bucket, regions, fields }) => [
    idText(entityId),
    bucket,
    Object.entries(regions)
      .map(([region, { life }]) => `${region} ${life}`)
      .join(', '),
    fields.map(({ name }) => name).join(', '),
  ]);
  return textTable(['id', 'bucket', 'rows', 'fields that differ'], rows) + more;
}

/** Returns a difference as the line of JSON has it. */
export function differenceJson({ bucket, entityId, regions, fields }: Difference): object {
  return { ...idJson(entityId), bucket, regions, fields };
}

/** Returns an id as people know it: that of a row of a table of clients by its two keys. */
export function idText(entityId: string): string {
  const key = decodeOpenId(entityId);
  if (key === undefined) return entityId;
  return `${JSON.stringify(key.partitionKey)} ${JSON.stringify(key.rowKey)}`;
}

/** Returns the same for programs. */
function idJson(entityId: string): Readonly<Record<string, string>> {
  const { partitionKey, rowKey } = decodeOpenId(entityId) ?? {};
  if (partitionKey === undefined || rowKey === undefined) return { id: entityId };
  return { id: entityId, partitionKey, rowKey };
}

const NAME_DIGITS = 12;

/**
 * Makes a short name of the entity and the two changes, which no other conflict has; the same
 * everywhere.
 */
export function conflictName({ entityId, stamps }: Pick<Conflict, 'entityId' | 'stamps'>): string {
  const text = [entityId, ...stamps].join('/');
  return createHash('sha256').update(text).digest('hex').slice(0, NAME_DIGITS);
}

/** Says which conflicts some journals do not have as others do, and which journals these are. */
export function describeConflictDifferences(
  differences: readonly ConflictDifference[],
  behindTitle: string,
): string[] {
  const [shown, more] = firstRows(differences, SHOWN_MAX);
  if (shown.length === 0) return [];
  const rows = shown.map((one) => [
    timeText(stampTimeMs(one.stamps[1])),
    one.entityId,
    one.bucket,
    conflictName(one),
    one.behind.join(', '),
  ]);
  return [textTable(['at', 'id', 'bucket', 'conflict', behindTitle], rows) + more];
}

/** Returns a difference between journals as the line of JSON has it. */
export function conflictDifferenceJson(difference: ConflictDifference): object {
  const { entityId, bucket, behind } = difference;
  return { conflict: conflictName(difference), id: entityId, bucket, behind };
}
