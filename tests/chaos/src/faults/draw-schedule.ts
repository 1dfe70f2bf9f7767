import {
  otherThan,
  REGION_NAMES,
  type RegionName,
  SERVICES,
  wireName,
} from '../cluster/wire-plan.ts';
import type { WireMode } from '../network/tcp-wire.ts';
import { createRandom, type Random } from '../random.ts';
import { unknownKind } from '../unknown-kind.ts';
import type { Fault, FaultKind } from './fault.ts';

/** From one fault to the next; several go on at once. */
const GAP_MS_MIN = 1_000;
const GAP_MS_MAX = 6_500;
/** Before the first, and from the end of the last to the end of the run. */
const QUIET_MS = 1_000;

interface Draw {
  /** How often, against the other kinds. */
  readonly weight: number;
  readonly durationMs: readonly [min: number, max: number];
  readonly draw: (random: Random) => FaultKind;
}

const DRAWS: readonly Draw[] = [
  { weight: 30, durationMs: [100, 4_000], draw: (random) => kill(random, SERVICES) },
  { weight: 10, durationMs: [100, 4_000], draw: (random) => kill(random, ['broker']) },
  {
    weight: 4,
    durationMs: [100, 2_000],
    draw: () => ({ kind: 'kill', process: 'traffic manager' }),
  },
  { weight: 16, durationMs: [500, 8_000], draw: (random) => pause(random) },
  // Longer than a lock of the queue: the messages are delivered again while it sleeps on them.
  {
    weight: 2,
    durationMs: [20_000, 25_000],
    draw: (random) => ({ kind: 'pause', process: `replicator of ${region(random)}` }),
  },
  {
    weight: 3,
    durationMs: [500, 5_000],
    draw: (random) => ({ kind: 'stop-tables', region: region(random) }),
  },
  {
    weight: 3,
    durationMs: [2_000, 8_000],
    draw: (random) => ({ kind: 'lose-region', region: region(random) }),
  },
  { weight: 30, durationMs: [500, 10_000], draw: (random) => cutOff(random) },
];

/** Everything that happens in a run of this length; the same for the same seed. */
export function drawSchedule(seed: number, runMs: number): Fault[] {
  const random = createRandom(seed);
  const faults: Fault[] = [];
  let atMs = QUIET_MS;
  for (;;) {
    const { durationMs, draw } = drawKind(random);
    const drawn: Fault = { atMs, durationMs: random.between(...durationMs), ...draw(random) };
    const leftMs = runMs - QUIET_MS - atMs;
    if (leftMs < GAP_MS_MIN) return faults;
    faults.push({ ...drawn, durationMs: Math.min(drawn.durationMs, leftMs) });
    atMs += random.between(GAP_MS_MIN, GAP_MS_MAX);
  }
}

function drawKind(random: Random): Draw {
  let ticket = random.next() * DRAWS.reduce((sum, { weight }) => sum + weight, 0);
  const drawn = DRAWS.find(({ weight }) => (ticket -= weight) < 0) ?? DRAWS[0];
  if (drawn === undefined) throw new Error('there are no kinds of faults');
  return drawn;
}

function region(random: Random): RegionName {
  return random.pick(REGION_NAMES);
}

function kill(random: Random, kinds: readonly [string, ...string[]]): FaultKind {
  return { kind: 'kill', process: `${random.pick(kinds)} of ${region(random)}` };
}

function pause(random: Random): FaultKind {
  const kind = random.pick(['API', 'replicator', 'tables', 'broker']);
  return { kind: 'pause', process: `${kind} of ${region(random)}` };
}

function cutOff(random: Random): FaultKind {
  return {
    kind: 'wires',
    wires: drawWires(random),
    mode: drawMode(random),
    endsWithReset: random.chance(0.5),
  };
}

function drawWires(random: Random): string[] {
  const here = region(random);
  const there = otherThan(here);
  const from = (service: string, to: string): string => wireName(`${service} of ${here}`, to);
  const what = random.pick(['peer', 'both-ways', 'tables', 'broker', 'front', 'one']);
  switch (what) {
    case 'peer':
      return SERVICES.map((service) => from(service, `broker of ${there}`));
    case 'both-ways':
      return REGION_NAMES.flatMap((one) =>
        SERVICES.map((service) => wireName(`${service} of ${one}`, `broker of ${otherThan(one)}`)),
      );
    case 'tables':
      return SERVICES.map((service) => from(service, `tables of ${here}`));
    case 'broker':
      return SERVICES.map((service) => from(service, `broker of ${here}`));
    case 'front':
      return [wireName('traffic manager', `API of ${here}`)];
    case 'one': {
      const to = random.pick([`tables of ${here}`, `broker of ${here}`, `broker of ${there}`]);
      return [from(random.pick(SERVICES), to)];
    }
    default:
      return unknownKind(what);
  }
}

function drawMode(random: Random): WireMode {
  const kind = random.pick(['cut', 'stalled', 'stalled', 'throttled']);
  switch (kind) {
    case 'cut':
      return { kind: 'cut' };
    case 'stalled':
      return { kind: 'stalled', what: random.pick(['both', 'requests', 'answers']) };
    case 'throttled':
      return { kind: 'throttled', bytesPerSecond: random.between(1, 20) * 1_024 };
    default:
      return unknownKind(kind);
  }
}
