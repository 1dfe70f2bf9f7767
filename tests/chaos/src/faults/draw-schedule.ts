import { regionNames } from '@tandem/local-cluster';
import { othersThan, REGIONS_MIN, SERVICES, wireName } from '../cluster/wire-plan.ts';
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
  readonly draw: (random: Random, regions: Regions) => FaultKind;
}

type Regions = readonly [string, ...string[]];

const DRAWS: readonly Draw[] = [
  { weight: 30, durationMs: [100, 4_000], draw: (...from) => kill(SERVICES, ...from) },
  { weight: 10, durationMs: [100, 4_000], draw: (...from) => kill(['broker'], ...from) },
  {
    weight: 4,
    durationMs: [100, 2_000],
    draw: () => ({ kind: 'kill', process: 'traffic manager' }),
  },
  {
    weight: 16,
    durationMs: [500, 8_000],
    draw: (...from) => halt('pause', [...SERVICES, 'tables', 'broker'], ...from),
  },
  // Longer than a lock of the queue: the messages are delivered again while it sleeps on them.
  {
    weight: 2,
    durationMs: [20_000, 25_000],
    draw: (...from) => halt('pause', ['replicator'], ...from),
  },
  // Longer than every deadline of a call, and than the minute that the SDK gives a link to close.
  {
    weight: 3,
    durationMs: [20_000, 120_000],
    draw: (...from) => halt('freeze', ['broker'], ...from),
  },
  {
    weight: 1,
    durationMs: [15_000, 60_000],
    draw: (...from) => halt('freeze', ['tables'], ...from),
  },
  {
    weight: 1,
    durationMs: [20_000, 120_000],
    draw: (...from) => halt('freeze', SERVICES, ...from),
  },
  {
    weight: 3,
    durationMs: [500, 5_000],
    draw: (random, regions) => ({ kind: 'stop-tables', region: random.pick(regions) }),
  },
  {
    weight: 3,
    durationMs: [2_000, 8_000],
    draw: (random, regions) => ({ kind: 'lose-region', region: random.pick(regions) }),
  },
  { weight: 30, durationMs: [500, 10_000], draw: (random, regions) => cutOff(random, regions) },
];

/** Everything that happens in a run of this length; the same for the same seed and regions. */
export function drawSchedule(
  seed: number,
  runMs: number,
  names: readonly string[] = regionNames(REGIONS_MIN),
): Fault[] {
  const [first, ...rest] = names;
  if (first === undefined) throw new Error('there are no regions');
  const regions: Regions = [first, ...rest];
  const random = createRandom(seed);
  const faults: Fault[] = [];
  let atMs = QUIET_MS;
  for (;;) {
    const { durationMs, draw } = drawKind(random);
    const drawn: Fault = {
      atMs,
      durationMs: random.between(...durationMs),
      ...draw(random, regions),
    };
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

type Kinds = readonly [string, ...string[]];

function kill(kinds: Kinds, random: Random, regions: Regions): FaultKind {
  return { kind: 'kill', process: `${random.pick(kinds)} of ${random.pick(regions)}` };
}

function halt(
  kind: 'pause' | 'freeze',
  kinds: Kinds,
  ...[random, regions]: [Random, Regions]
): FaultKind {
  return { kind, process: `${random.pick(kinds)} of ${random.pick(regions)}` };
}

function cutOff(random: Random, regions: Regions): FaultKind {
  return {
    kind: 'wires',
    wires: drawWires(random, regions),
    mode: drawMode(random),
    endsWithReset: random.chance(0.5),
  };
}

function drawWires(random: Random, regions: Regions): string[] {
  const here = random.pick(regions);
  const there = random.pick(othersThan(here, regions) as Regions);
  const from = (service: string, to: string): string => wireName(`${service} of ${here}`, to);
  const what = random.pick(['peer', 'both-ways', 'tables', 'broker', 'front', 'one']);
  switch (what) {
    case 'peer':
      return SERVICES.map((service) => from(service, `broker of ${there}`));
    case 'both-ways':
      return SERVICES.flatMap((service) => [
        wireName(`${service} of ${here}`, `broker of ${there}`),
        wireName(`${service} of ${there}`, `broker of ${here}`),
      ]);
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
