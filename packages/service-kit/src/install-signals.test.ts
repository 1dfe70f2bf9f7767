import { EventEmitter } from 'node:events';
import { describe, expect, test } from 'vitest';
import { installSignals } from './shutdown.ts';
import { recordLog } from './testing/record-log.ts';

function setUp({ env = {}, send }: { env?: Record<string, string>; send?: () => void } = {}) {
  const emitter = new EventEmitter();
  const exitCodes: number[] = [];
  const reasons: string[] = [];
  const steps = Promise.withResolvers<number>();
  installSignals({
    logger: recordLog().logger,
    shutdown: {
      run: (reason) => {
        reasons.push(reason);
        return steps.promise;
      },
    },
    source: {
      on: (event, listener) => emitter.on(event, listener),
      exit: (code) => void exitCodes.push(code),
      env,
      send,
    },
  });
  const finish = async (code: number): Promise<void> => {
    steps.resolve(code);
    await steps.promise;
    await Promise.resolve();
  };
  return { emitter, exitCodes, reasons, finish };
}

describe('signals', () => {
  test.each(['SIGTERM', 'SIGINT'])('%s shuts down, then exits with its code', async (signal) => {
    const { emitter, exitCodes, reasons, finish } = setUp();
    emitter.emit(signal);
    expect(reasons).toEqual([signal]);
    expect(exitCodes).toEqual([]);
    await finish(1);
    expect(exitCodes).toEqual([1]);
  });

  test.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ])('a second signal, %s, exits at once', (second, code) => {
    const { emitter, exitCodes, reasons } = setUp();
    emitter.emit('SIGTERM');
    emitter.emit(second);
    expect(exitCodes).toEqual([code]);
    expect(reasons).toEqual(['SIGTERM']);
  });

  test('the end of the parent counts as a SIGTERM where that is asked for', () => {
    const { emitter, reasons } = setUp({
      env: { TANDEM_EXIT_WITH_PARENT: '1' },
      send: () => undefined,
    });
    emitter.emit('disconnect');
    expect(reasons).toEqual(['the parent process has ended']);
  });

  test.each([
    ['it is not asked for', { send: () => undefined }],
    ['there is no channel to a parent', { env: { TANDEM_EXIT_WITH_PARENT: '1' } }],
  ])('the end of the parent counts for nothing where %s', (_, options) => {
    const { emitter, reasons } = setUp(options);
    emitter.emit('disconnect');
    expect(reasons).toEqual([]);
  });
});
