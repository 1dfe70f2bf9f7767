/**
 * Resolves at the end of this turn of the event loop, when every socket that has something to read
 * was read: requests that arrive together have all begun by then.
 */
export function untilTurnEnds(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
