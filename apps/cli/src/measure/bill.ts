// What Azure bills of a run: counted where this process asks, estimated for what the replicators do with what it wrote, and
// held to a limit.
import { type ChangePublisher, rowsKind, type TableStore } from '@tandem/core';

/** What this process has asked for, counted. */
export interface Bill {
  /** Requests to the tables; a transaction over several rows is one. */
  transactions: number;
  /** Those of them that were about rows of clients: at least one for each change set. */
  rowTransactions: number;
  pointReads: number;
  rangeReads: number;
  /** Tables made, and the clock of the account asked. */
  otherRequests: number;
  messages: number;
  /** Counts the bodies alone. */
  messageBytes: number;
  /** One for each message, and for each 64 KiB of it. */
  sends: number;
}

export function newBill(): Bill {
  return {
    transactions: 0,
    rowTransactions: 0,
    pointReads: 0,
    rangeReads: 0,
    otherRequests: 0,
    messages: 0,
    messageBytes: 0,
    sends: 0,
  };
}

/** Counts what is asked of a store. */
export function billStore(store: TableStore, bill: Bill): TableStore {
  return {
    createTable(table) {
      bill.otherRequests += 1;
      return store.createTable(table);
    },
    get(...key) {
      bill.pointReads += 1;
      return store.get(...key);
    },
    commit(transaction) {
      bill.transactions += 1;
      if (transaction.table === rowsKind.name) bill.rowTransactions += 1;
      return store.commit(transaction);
    },
    query(range) {
      bill.rangeReads += 1;
      return store.query(range);
    },
    timeMs() {
      bill.otherRequests += 1;
      return store.timeMs();
    },
  };
}

const BILLED_BYTES = 64 * 1_024;

/** Counts what is sent to a peer. */
export function billPublisher(publisher: ChangePublisher, bill: Bill): ChangePublisher {
  return {
    peer: publisher.peer,
    close: () => publisher.close(),
    publish(messages) {
      for (const { body } of messages) {
        bill.messages += 1;
        bill.messageBytes += body.length;
        bill.sends += Math.max(1, Math.ceil(body.length / BILLED_BYTES));
      }
      return publisher.publish(messages);
    },
  };
}

/** What a run has cost so far. */
export interface Billed {
  /** Is that of this process, all of it. */
  readonly tableRequests: number;
  /** Each message once sent, which is counted, once received and once completed, which follows from that. */
  readonly serviceBusOperations: number;
  /** At most: a read, a transaction and an archive transaction for each change set at each peer. */
  readonly tableRequestsOfReplicators: number;
  readonly total: number;
}

const OPERATIONS_PER_SEND = 3;
const REPLICATOR_REQUESTS_PER_SET = 3;
/** What one write asks for at most: read, committed, its table confirmed, archived, taken from the outbox. */
const REQUESTS_PER_WRITE = 6;
/** What opening, watching the last writes arrive and removing the table take at most in one region. */
const REQUESTS_RESERVED = 400;

export interface Budget {
  billed(): Billed;
  writes(): number;
  /** Allows the part of what is left that is one of `parts`, until it is called again. */
  allot(parts: number): void;
  /** Returns whether one more write stays within what is allowed; then it counts, until `end`, at its most. */
  begin(): boolean;
  end(): void;
}

/** Returns the fewest operations that a run over so many regions is of any use with. */
export function operationsNeeded(regionCount: number): number {
  return 2 * REQUESTS_RESERVED * regionCount;
}

export interface BudgetOptions {
  readonly bill: Bill;
  readonly regionCount: number;
  readonly operationsMax: number;
  /** What was asked for before and beside it. */
  readonly otherRequests: () => number;
}

/** Keeps a run within its operations: a write is begun only where all that it may take still fits. */
export function createBudget(options: BudgetOptions): Budget {
  const { bill, regionCount, operationsMax, otherRequests } = options;
  const peerCount = regionCount - 1;
  const ofWrite =
    REQUESTS_PER_WRITE + peerCount * (OPERATIONS_PER_SEND + REPLICATOR_REQUESTS_PER_SET);
  const spendable = operationsMax - REQUESTS_RESERVED * regionCount;
  let writes = 0;
  let underWay = 0;
  let allowed = spendable;
  const billed = (): Billed => {
    const { transactions, pointReads, rangeReads } = bill;
    const tableRequests =
      transactions + pointReads + rangeReads + bill.otherRequests + otherRequests();
    const serviceBusOperations = OPERATIONS_PER_SEND * bill.sends;
    // Writes share change sets, and what is taken from the outbox is a transaction too.
    const setCount = Math.min(writes, bill.rowTransactions);
    const tableRequestsOfReplicators = REPLICATOR_REQUESTS_PER_SET * setCount * peerCount;
    const total = tableRequests + serviceBusOperations + tableRequestsOfReplicators;
    return { tableRequests, serviceBusOperations, tableRequestsOfReplicators, total };
  };
  return {
    billed,
    writes: () => writes,
    allot(parts) {
      const { total } = billed();
      allowed = total + (spendable - total) / parts;
    },
    begin() {
      // What was acknowledged just now is still archived and sent: as much as is under way, at its most.
      if (billed().total + 2 * (underWay + 1) * ofWrite > allowed) return false;
      writes += 1;
      underWay += 1;
      return true;
    },
    end: () => void (underWay -= 1),
  };
}
