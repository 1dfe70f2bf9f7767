import type { Logger } from '@tandem/service-kit';
import type { Duty } from './duty.ts';

export interface ConfigurationDutyOptions {
  readonly logger: Logger;
  readonly refresh: () => Promise<void>;
  /** The settings that this process read when it started, by name; compared, never shown. */
  readonly readAtStart: () => ReadonlyMap<string, string | undefined>;
}

const INTERVAL_MS = 30_000;
const STALL_MS = 300_000;

/** Keeps the settings fresh, and says which of the changed ones wait for a restart: names only. */
export function createConfigurationDuty(options: ConfigurationDutyOptions): Duty {
  const { logger, refresh, readAtStart } = options;
  let known = readAtStart();
  return {
    name: 'configuration',
    intervalMs: () => INTERVAL_MS,
    firstDelayMs: INTERVAL_MS,
    isNeededForReady: false,
    stallMs: STALL_MS,
    async turn() {
      await refresh();
      const current = readAtStart();
      const settings = [...current.keys()].filter((name) => current.get(name) !== known.get(name));
      known = current;
      if (settings.length === 0) return;
      logger.warn(
        { event: 'configuration-changed', settings },
        'Settings were changed that take effect when the replicator is restarted.',
      );
    },
  };
}
