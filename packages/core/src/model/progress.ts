// What the replicators of a region say of it through its own table: how far they are, and what they have noticed.

/** Says how far this region is with what a peer has sent, as the peer and the queue say. */
export interface PeerProgress {
  readonly peer: string;
  /** Is the time of the newest watermark passed; undefined when none ever was. */
  readonly passedMs: number | undefined;
  /** Is the peer's word that it has applied all that this region acknowledged before; if it gave one. */
  readonly appliedMs?: number;
  /** Is its word that it has applied and archived all that any region acknowledged before; if it gave one. */
  readonly allAppliedMs?: number;
  /** Is as `passedMs`, but for what waits in the peer's outbox for an operator. */
  readonly soundMs?: number;
  /** Is what its newest watermark says that it reads; an earlier build of this region does not keep that. */
  readonly reads?: PeerReads;
  /**
   * Counts the change sets of the peer that this region's replicators applied since they count, one that came twice
   * twice; an earlier build does not say.
   */
  readonly appliedSets?: number;
  /** Says that the peer's queue accepted something from us lately. */
  readonly isReachable: boolean;
}

/** Says which messages a peer reads, by its own word. */
export interface PeerReads {
  /** Is its newest wire version; undefined where its build does not say. */
  readonly wireVersion?: number;
  /** Is when that was heard, by the clock here. */
  readonly heardMs: number;
}

/** Says how far this region is, to be believed as far as `believedPeers` does. */
export interface ReplicationProgress {
  /** Says when the replicator last said that it is alive. */
  readonly heartbeatMs: number;
  /** Says since when it has been catching up without a break; undefined once it had caught up. */
  readonly catchingUpSinceMs: number | undefined;
  /** Says that a message has waited in this region's queue for longer than `lagMsMax`. */
  readonly hasBacklog: boolean;
  readonly peers: readonly PeerProgress[];
  /** Holds what the region's replicators have noticed; none from an earlier build. */
  readonly notices?: readonly Notice[];
  /** Is the newest wire version that the replicator reads which wrote last; an earlier build does not say. */
  readonly readsWireVersion?: number;
  /** Names the settings that the environment of the replicator overrides which wrote last; an earlier build does not say. */
  readonly overriddenSettings?: readonly string[];
}

/** Is what a region has met and an operator has to know of; each has a place in a runbook. */
export type NoticeKind =
  /** A time that a peer or a process said and that cannot be true, or a region that nobody knows. */
  | 'claim-refused'
  /** A clock of this region that its own store contradicts: what it calls too old is held. */
  | 'clock-ahead'
  /** A change set of which some fragments have come and others have not, or not for good: it is not applied. */
  | 'fragments-incomplete'
  /** A message that the store does not take although it takes others; it is tried apart from them. */
  | 'message-isolated'
  /** A row of the outbox that cannot be read. */
  | 'outbox-row-damaged'
  /** A row of the outbox that an operator has set aside: what is in it is still owed. */
  | 'outbox-row-aside'
  /** A row of the outbox that the archive or a peer's queue does not take although they take others. */
  | 'outbox-row-stuck'
  /** A row in the table of an entity kind that this product did not write, or no longer can read. */
  | 'row-foreign';

export const NOTICE_KINDS: readonly NoticeKind[] = [
  'claim-refused',
  'clock-ahead',
  'fragments-incomplete',
  'message-isolated',
  'outbox-row-damaged',
  'outbox-row-aside',
  'outbox-row-stuck',
  'row-foreign',
];

/** Names and numbers only, never values of an entity. */
export interface Notice {
  readonly kind: NoticeKind;
  /** Names which: a peer, the key of a row, the number of a message. */
  readonly subject: string;
  readonly detail: string;
  readonly count: number;
  /** Is a time in milliseconds since the epoch. */
  readonly sinceMs: number;
  readonly lastMs: number;
}
