import type { NextFailure } from '../faults.ts';
import type { Tenant } from '../tenant.ts';

/** Faults for tests, in one namespace. They throw when there is no such queue. */
export interface EmulatorControl {
  /** The queue delivers nothing and leaves sends unanswered until it is resumed. */
  pauseQueue(name: string): void;
  resumeQueue(name: string): void;
  /** Cuts every AMQP connection, of every namespace, without a word. Locks stay until they expire. */
  dropConnections(): void;
  /** Detaches every link to the queue with `amqp:link:detach-forced`; connections stay. */
  dropLinks(name: string): void;
  /** Refuses the next sends (each a message or a batch) with the AMQP condition. */
  failNext(name: string, count: number, condition: string): void;
  /** The same for any kind of operation. */
  fail(name: string, failure: NextFailure): void;
  /** Leaves settlements undone and unanswered until they are released; locks may expire meanwhile. */
  holdSettlements(name: string): void;
  releaseSettlements(name: string): void;
  /** Sends each of the next deliveries under a lock twice, both under the one lock. */
  duplicateNext(name: string, count: number): void;
}

/** There is no queue of that name. */
export class QueueMissing extends Error {
  override readonly name = 'QueueMissing';
}

export interface ControlOptions {
  readonly tenant: Tenant;
  readonly dropConnections: () => void;
  readonly dropLinks: (tenant: Tenant, queueName: string) => void;
}

export function createControl(options: ControlOptions): EmulatorControl {
  const { namespace, faults } = options.tenant;
  const find = (name: string) => {
    const entity = namespace.find(name);
    if (entity === undefined) throw new QueueMissing(`The emulator has no queue '${name}'`);
    return entity.main;
  };
  return {
    pauseQueue(name) {
      const queue = find(name);
      faults.hold(queue.name, 'send');
      queue.setPaused(true);
    },
    resumeQueue(name) {
      const queue = find(name);
      faults.release(queue.name, 'send');
      queue.setPaused(false);
    },
    dropConnections: options.dropConnections,
    dropLinks: (name) => options.dropLinks(options.tenant, find(name).name),
    failNext(name, count, condition) {
      faults.failNext(find(name).name, { operation: 'send', count, condition });
    },
    fail: (name, failure) => faults.failNext(find(name).name, failure),
    holdSettlements: (name) => faults.hold(find(name).name, 'settle'),
    releaseSettlements: (name) => faults.release(find(name).name, 'settle'),
    duplicateNext: (name, count) => faults.duplicateNext(find(name).name, count),
  };
}
