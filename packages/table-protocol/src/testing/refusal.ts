import { TableError, type TableErrorCode } from '../table-error.ts';

/** Returns the code that an act is refused with, or undefined where it is not; other errors pass. */
export function refusalOf(act: () => unknown): TableErrorCode | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    if (error instanceof TableError) return error.code;
    throw error;
  }
}
