import { EventEmitter } from 'node:events';
import { describe, expect, test } from 'vitest';
import { installLastResort } from './shutdown.ts';
import { recordLog } from './testing/record-log.ts';

const STRAY = new Error('the link did not close');

function setUp() {
  const emitter = new EventEmitter();
  const exitCodes: number[] = [];
  const reasons: string[] = [];
  const { logger, lines } = recordLog();
  const of = (event: string) => lines.filter((line) => line.event === event);
  const steps = Promise.withResolvers<number>();
  installLastResort({
    logger,
    shutdown: {
      run: (reason) => {
        reasons.push(reason);
        return steps.promise;
      },
    },
    source: {
      on: (event, listener) => emitter.on(event, listener),
      exit: (code) => void exitCodes.push(code),
    },
    isStray: (failure) => failure === STRAY,
  });
  return { emitter, exitCodes, reasons, of, finish: () => steps.resolve(0) };
}

describe('I15: a failure that nobody owns', () => {
  test.each(['unhandledRejection', 'uncaughtException'])(
    'of a library, by %s, is logged and counted, and the process goes on',
    (event) => {
      const { emitter, exitCodes, reasons, of } = setUp();
      emitter.emit(event, STRAY);
      emitter.emit(event, STRAY);
      expect(of('stray-failure')).toMatchObject([{ strays: 1 }, { strays: 2 }]);
      expect({ exitCodes, reasons }).toEqual({ exitCodes: [], reasons: [] });
    },
  );

  test.each(['unhandledRejection', 'uncaughtException'])(
    'of ours, by %s, is not hidden: the process ends in order, once, with 1',
    async (event) => {
      const { emitter, exitCodes, reasons, of, finish } = setUp();
      emitter.emit(event, new Error('a fault'));
      emitter.emit(event, 'another');
      expect(of('unowned-failure')).toHaveLength(2);
      expect(reasons).toHaveLength(1);
      expect(exitCodes).toEqual([]);
      finish();
      await expect.poll(() => exitCodes).toEqual([1]);
    },
  );
});
