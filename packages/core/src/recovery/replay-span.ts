import type { ArchiveSpan } from '../ports/archive.ts';
import type { FoldOptions } from './fold-archive.ts';

export interface ReplaySpan {
  /** Only of this entity. */
  readonly entityId?: string;
  /** What was stamped from this time on, in milliseconds. */
  readonly fromMs?: number;
  /** What was stamped before this time, in milliseconds. */
  readonly beforeMs?: number;
}

/** What of one bucket's archive a replay folds. */
export function foldSpanOf(
  { entityId, fromMs, beforeMs }: ReplaySpan,
  bucket: Pick<ArchiveSpan, 'entityKind' | 'bucket'>,
): Pick<FoldOptions, 'span' | 'entityId'> {
  return {
    span: {
      ...bucket,
      ...(fromMs === undefined ? {} : { fromMs }),
      ...(beforeMs === undefined ? {} : { beforeMs }),
    },
    ...(entityId === undefined ? {} : { entityId }),
  };
}
