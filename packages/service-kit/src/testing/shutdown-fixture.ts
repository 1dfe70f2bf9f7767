import { createLogger } from '../logger.ts';
import { createShutdown, installSignals } from '../shutdown.ts';
import { createSystemClock } from '../system-clock.ts';

// A process for install-signals.int.test.ts: it would run for ever, says when it is ready, and
// shuts down in one step that takes a moment.
const clock = createSystemClock();
const logger = createLogger({ service: 'fixture', region: 'east', level: 'info' });
const stopped = new AbortController();

const shutdown = createShutdown({
  logger,
  clock,
  deadlineMs: 5_000,
  drain: [
    { name: 'stop the loop', run: () => stopped.abort() },
    { name: 'take a moment', run: () => clock.sleep(20) },
  ],
  close: [],
});
installSignals({ shutdown, logger, source: process });
logger.info({ event: 'ready' }, 'The fixture is ready.');
await clock.sleep(60_000, stopped.signal);
await clock.sleep(60_000);
