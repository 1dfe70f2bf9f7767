/** What the clients of an emulator know of each message, and what they found after a restart. */
export interface Ledger {
  /** The send of the message was asked for; from now on it may be there. */
  sending(body: number): void;
  accepted(body: number): void;
  /** It was given back so often, and the emulator said yes. */
  abandoned(body: number): void;
  /** Its completion was asked for; from now on it may be gone. */
  completing(body: number): void;
  completed(body: number): void;
  /** Notes where a message was seen. */
  seen(message: SeenMessage): void;
  /** Compares with everything that is there now. Returns a sentence for each broken promise. */
  check(present: readonly SeenMessage[]): string[];
  counts(): LedgerCounts;
}

export interface SeenMessage {
  readonly body: number;
  readonly sequenceNumber: number;
  readonly deliveryCount: number;
}

export interface LedgerCounts {
  readonly accepted: number;
  readonly completed: number;
  /** Accepted, and no completion was asked for: all of them must be there. */
  readonly owed: number;
  /** Neither is known: the emulator died before it answered. */
  readonly unanswered: number;
}

type Stage = 'sending' | 'accepted' | 'completing' | 'completed';

interface Entry {
  stage: Stage;
  wasAccepted: boolean;
  abandons: number;
  sequenceNumber: number | undefined;
}

interface State {
  readonly entries: Map<number, Entry>;
  readonly bodyOfNumber: Map<number, number>;
  readonly problems: string[];
}

function entryOf({ entries }: State, body: number): Entry {
  const entry = entries.get(body);
  if (entry !== undefined) return entry;
  const added: Entry = {
    stage: 'sending',
    wasAccepted: false,
    abandons: 0,
    sequenceNumber: undefined,
  };
  entries.set(body, added);
  return added;
}

function see(state: State, { body, sequenceNumber, deliveryCount }: SeenMessage): void {
  const { bodyOfNumber, problems } = state;
  const entry = entryOf(state, body);
  const owner = bodyOfNumber.get(sequenceNumber) ?? body;
  if (owner !== body) problems.push(`${sequenceNumber} is the number of ${owner} and ${body}`);
  bodyOfNumber.set(sequenceNumber, owner);
  entry.sequenceNumber ??= sequenceNumber;
  if (entry.sequenceNumber !== sequenceNumber) {
    problems.push(`${body} had the number ${entry.sequenceNumber} and has ${sequenceNumber}`);
  }
  if (deliveryCount < entry.abandons) {
    problems.push(`${body} was given back ${entry.abandons} times and counts ${deliveryCount}`);
  }
}

function check(state: State, present: readonly SeenMessage[]): string[] {
  const { entries, problems } = state;
  for (const message of present) see(state, message);
  const bodies = new Set(present.map(({ body }) => body));
  if (bodies.size !== present.length) problems.push('A message is there twice');
  for (const [body, entry] of entries) {
    if (entry.stage === 'accepted' && !bodies.has(body)) problems.push(`${body} is lost`);
    if (entry.stage === 'completed' && bodies.has(body)) problems.push(`${body} has come back`);
    const isOpen = entry.stage === 'sending' || entry.stage === 'completing';
    // What is found once must not be lost later, whether its sender got an answer or not.
    if (isOpen && bodies.has(body)) entry.stage = 'accepted';
  }
  return problems.splice(0);
}

function countEntries({ entries }: State): LedgerCounts {
  const count = (test: (entry: Entry) => boolean) => [...entries.values()].filter(test).length;
  return {
    accepted: count(({ wasAccepted }) => wasAccepted),
    completed: count(({ stage }) => stage === 'completed'),
    owed: count(({ stage }) => stage === 'accepted'),
    unanswered: count(({ stage }) => stage === 'sending' || stage === 'completing'),
  };
}

export function createLedger(): Ledger {
  const state: State = { entries: new Map(), bodyOfNumber: new Map(), problems: [] };
  const advance = (body: number, stage: Stage): void => {
    entryOf(state, body).stage = stage;
  };
  return {
    sending: (body) => void entryOf(state, body),
    accepted(body) {
      const entry = entryOf(state, body);
      entry.wasAccepted = true;
      // It may have been received before the answer to its send.
      if (entry.stage === 'sending') entry.stage = 'accepted';
    },
    abandoned(body) {
      entryOf(state, body).abandons += 1;
    },
    completing: (body) => advance(body, 'completing'),
    completed: (body) => advance(body, 'completed'),
    seen: (message) => see(state, message),
    check: (present) => check(state, present),
    counts: () => countEntries(state),
  };
}
