import { NOTICE_KINDS, type Notices } from '@tandem/core';
import type { Meter } from './telemetry.ts';

/** Measures what a process has noticed, by kind, whenever someone asks. */
export function measureNotices(
  meter: Meter,
  notices: () => Pick<Notices, 'current' | 'count'> | undefined,
): void {
  meter
    .createObservableGauge('tandem.notices', {
      unit: '{notice}',
      description: 'What was met lately and an operator has to see to, by kind.',
    })
    .addCallback((result) => {
      const current = notices()?.current() ?? [];
      for (const kind of NOTICE_KINDS) {
        const count = current.filter((one) => one.kind === kind).length;
        result.observe(count, { 'tandem.notice': kind });
      }
    });
  meter
    .createObservableCounter('tandem.notices.met', {
      unit: '{time}',
      description:
        'How often such was met since the start: claims refused, rows skipped, and so on.',
    })
    .addCallback((result) => {
      for (const kind of NOTICE_KINDS) {
        result.observe(notices()?.count(kind) ?? 0, { 'tandem.notice': kind });
      }
    });
}
