// Every wire version there is and what it brought, oldest first. A build reads its own and all older ones.

/**
 * Is the version of a plain change set, in every message, outbox row and archive row. A reader accepts its own
 * version and older ones; a newer one is dead-lettered as such, not as garbage. See change-set-bytes.ts.
 */
export const WIRE_VERSION = 1;

/**
 * Is the wire version of a pack: several encoded change sets, of any buckets, in the body of one message. The
 * sets in it keep the version and the bytes that they were written and are archived with. A build that knows
 * only single sets sets a pack aside as too new, so packs are sent to those peers only that are known to read
 * them. See docs/adr/0014.
 */
export const PACK_WIRE_VERSION = 2;

/**
 * Is the wire version of an encoded change set that is deflated: the bytes of a plain one as zlib packs them
 * (RFC 1950, with a checksum), in Base64. A build that does not know it sets it aside as too new, so it is
 * written only where every region is known to read it. See docs/adr/0016.
 */
export const DEFLATED_WIRE_VERSION = 3;

/**
 * Is the wire version of a plain change set that says more than the first can: a state with a base, and names of
 * fields as Table Storage takes them. What needs none of it is written as before, byte for byte. A build that does
 * not know it sets it aside as too new, so a base is taken only where every region is known to read it. See
 * docs/adr/0030.
 */
export const BASE_WIRE_VERSION = 4;

/**
 * Is the wire version of a plain change set that holds a transaction (`whole`): a build that does not know it would
 * apply one change of it and refuse another. It came with the base. See docs/adr/0031.
 */
export const WHOLE_WIRE_VERSION = 4;

/**
 * Is the wire version of a plain change set of a hundred changes: a build that does not know it takes 99, and would
 * call more damaged. It is that of their outbox row too, so an older build leaves one alone that is only prepared. See
 * docs/adr/0038.
 */
export const FULL_WIRE_VERSION = 5;

/**
 * Is the wire version of a plain change set that holds adopted states: they are of no transaction of the region whose
 * set it is, and a build that does not know it would call that inconsistent, and dead-letter it as such. See
 * docs/adr/0040.
 */
export const ADOPTED_WIRE_VERSION = 6;

/**
 * Is the wire version of a plain change set in which a state names the request that wrote it: a build that does not know it
 * would read over that, and would then not know a repetition of the request. See docs/adr/0041.
 */
export const REQUEST_WIRE_VERSION = 7;

/**
 * Is the wire version of a change set of more bytes than a message takes: deflated, and in fragments where it is more
 * even so. A build that does not know it sets it aside as too new, as a message and as a row, so it is written only where
 * every region is known to read it. See docs/adr/0042.
 */
export const LARGE_WIRE_VERSION = 8;

/**
 * Is the wire version of a plain change set with a name of a field that has a combining mark, as those of Hindi and Thai
 * do. A build that does not know it would call the name none, and dead-letter the set as damaged, so such a name is
 * written only where every region is known to read it. See docs/adr/0055.
 */
export const MARK_WIRE_VERSION = 9;

/** Is the newest version that this build reads. */
export const NEWEST_WIRE_VERSION = Math.max(
  WIRE_VERSION,
  PACK_WIRE_VERSION,
  DEFLATED_WIRE_VERSION,
  BASE_WIRE_VERSION,
  FULL_WIRE_VERSION,
  ADOPTED_WIRE_VERSION,
  REQUEST_WIRE_VERSION,
  LARGE_WIRE_VERSION,
  MARK_WIRE_VERSION,
);
