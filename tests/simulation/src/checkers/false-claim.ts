import type { FinalChecker } from './checker.ts';

/** I16: what a wrong clock has said of a time to come is in no figure once the clocks are right. */
export const falseClaim: FinalChecker = {
  name: 'false-claim',
  check: ({ world, regions }) =>
    regions.flatMap(({ name, progress }) => {
      const latestMs = world.scheduler.nowMs() + world.plan.driftMsMax;
      const { heartbeatMs = 0, peers = [] } = JSON.parse(progress ?? '{}') as Progress;
      const claims = peers.flatMap(({ peer, ...claimed }) =>
        (['passedMs', 'appliedMs', 'soundMs'] as const).map(
          (what) => [`${what} of ${peer}`, claimed[what] ?? 0] as const,
        ),
      );
      return [['its heartbeat', heartbeatMs] as const, ...claims]
        .filter(([, timeMs]) => timeMs > latestMs)
        .map(([what, timeMs]) => `${what} in ${name} is of ${timeMs}, which is to come`);
    }),
};

interface Progress {
  readonly heartbeatMs?: number;
  readonly peers?: readonly {
    readonly peer: string;
    readonly passedMs?: number;
    readonly appliedMs?: number;
    readonly soundMs?: number;
  }[];
}
