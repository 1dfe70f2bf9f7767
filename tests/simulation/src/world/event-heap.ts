export interface TimedEvent {
  readonly atMs: number;
  /** Breaks ties: what was scheduled first happens first. */
  readonly sequence: number;
  readonly work: () => void;
  isCancelled: boolean;
}

/** A binary heap: the next event is the one with the smallest time, then the smallest sequence. */
export class EventHeap {
  readonly #events: TimedEvent[] = [];

  peek(): TimedEvent | undefined {
    return this.#events[0];
  }

  push(event: TimedEvent): void {
    const events = this.#events;
    let index = events.push(event) - 1;
    while (index > 0) {
      const parent = (index - 1) >>> 1;
      if (!isBefore(events[index], events[parent])) break;
      swap(events, index, parent);
      index = parent;
    }
  }

  pop(): TimedEvent | undefined {
    const events = this.#events;
    const first = events[0];
    const last = events.pop();
    if (first === undefined || last === undefined || events.length === 0) return first;
    events[0] = last;
    let index = 0;
    for (;;) {
      const left = index * 2 + 1;
      let least = index;
      if (isBefore(events[left], events[least])) least = left;
      if (isBefore(events[left + 1], events[least])) least = left + 1;
      if (least === index) return first;
      swap(events, index, least);
      index = least;
    }
  }
}

function isBefore(a: TimedEvent | undefined, b: TimedEvent | undefined): boolean {
  if (a === undefined || b === undefined) return false;
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.sequence < b.sequence);
}

function swap(events: TimedEvent[], a: number, b: number): void {
  const kept = events[a] as TimedEvent;
  events[a] = events[b] as TimedEvent;
  events[b] = kept;
}
