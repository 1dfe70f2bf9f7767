/** The classes of awaited calls that a process makes. */
export type CallClass =
  | 'read'
  | 'commit'
  | 'publish'
  | 'receive'
  | 'settle'
  | 'renew'
  | 'peek'
  | 'sleep';

/**
 * What may become of one call. `unavailable` and `throttled` are refused before anything was done;
 * `unknown-before`, `answer-lost` and `late` all look alike to the caller: nothing was done, it was
 * done, it will be done after the caller was told that nobody knows.
 */
export type CallFault =
  | 'throttled'
  | 'unavailable'
  | 'unknown-before'
  | 'answer-lost'
  | 'late'
  | 'slow'
  | 'touched'
  | 'short-page'
  | 'duplicated'
  | 'partly-accepted'
  | 'spoiled'
  | 'reordered'
  | 'held-back'
  | 'lock-lost'
  | 'crash-before'
  | 'crash-after';

export interface CallFaultRule {
  readonly fault: CallFault;
  readonly calls: readonly CallClass[];
  /** The share of calls in a seed that has drawn the kind with its middle weight. */
  readonly rate: number;
}

const TABLE: readonly CallClass[] = ['read', 'commit'];
const BUS: readonly CallClass[] = ['publish', 'receive', 'settle', 'renew', 'peek'];
const ALL: readonly CallClass[] = [...TABLE, ...BUS, 'sleep'];

export const CALL_FAULT_RULES: readonly CallFaultRule[] = [
  { fault: 'throttled', calls: [...TABLE, 'publish'], rate: 0.02 },
  { fault: 'unavailable', calls: [...TABLE, ...BUS], rate: 0.015 },
  { fault: 'unknown-before', calls: ['commit'], rate: 0.02 },
  { fault: 'answer-lost', calls: ['commit', 'publish', 'settle'], rate: 0.03 },
  { fault: 'late', calls: ['commit', 'publish'], rate: 0.02 },
  { fault: 'slow', calls: [...TABLE, ...BUS], rate: 0.01 },
  // What is judged by an answer that is already old is judged wrongly first.
  { fault: 'slow', calls: ['peek'], rate: 0.3 },
  { fault: 'touched', calls: ['commit'], rate: 0.03 },
  { fault: 'short-page', calls: ['read'], rate: 0.05 },
  { fault: 'duplicated', calls: ['publish'], rate: 0.05 },
  { fault: 'partly-accepted', calls: ['publish'], rate: 0.03 },
  // In company with what nobody can read: that is set aside, and takes no neighbour with it.
  { fault: 'spoiled', calls: ['publish'], rate: 0.01 },
  { fault: 'reordered', calls: ['receive'], rate: 0.2 },
  { fault: 'held-back', calls: ['receive'], rate: 0.05 },
  { fault: 'lock-lost', calls: ['settle', 'renew'], rate: 0.05 },
  { fault: 'crash-before', calls: ALL, rate: 0.0008 },
  { fault: 'crash-after', calls: ALL, rate: 0.0008 },
];
