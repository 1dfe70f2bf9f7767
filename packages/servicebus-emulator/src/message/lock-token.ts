/**
 * A GUID's first three parts are little-endian in a delivery tag and big-endian in a UUID. The
 * same exchange of bytes leads from the one to the other and back.
 */
export function reorderLockToken(token: Buffer): Buffer {
  const reordered = Buffer.from(token);
  reordered.subarray(0, 4).reverse();
  reordered.subarray(4, 6).reverse();
  reordered.subarray(6, 8).reverse();
  return reordered;
}
