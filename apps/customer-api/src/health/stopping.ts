/** Set once, when the process has been told to stop: from then on it is not ready. */
export interface Stopping {
  readonly hasBegun: boolean;
  begin(): void;
}

export function createStopping(): Stopping {
  let hasBegun = false;
  return {
    get hasBegun() {
      return hasBegun;
    },
    begin() {
      hasBegun = true;
    },
  };
}
