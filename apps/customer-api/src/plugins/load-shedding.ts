import underPressure from '@fastify/under-pressure';
import fp from 'fastify-plugin';
import { ProblemError } from '../http/problem.ts';

export interface LoadSheddingPluginOptions {
  /**
   * The mean delay of the event loop over a second, beyond which every answer is late and more work
   * would make all of them later. 0 sheds nothing.
   */
  readonly eventLoopDelayMsMax: number;
}

const RETRY_AFTER_S = 2;

/** Refuses at once what this process could answer only too late. Not for probes. */
export const loadSheddingPlugin = fp(
  async (app, { eventLoopDelayMsMax }: LoadSheddingPluginOptions) => {
    await app.register(underPressure, {
      maxEventLoopDelay: eventLoopDelayMsMax,
      pressureHandler: () => {
        throw new ProblemError('overloaded', {
          detail: 'This process has more to do than it can: send the request again later.',
          headers: { 'retry-after': String(RETRY_AFTER_S) },
        });
      },
    });
  },
  { name: 'load-shedding', dependencies: ['problems'] },
);
