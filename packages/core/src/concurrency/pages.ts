import { TransientError } from '../errors.ts';

/** Is read page after page: `continuation` is there while there may be more. */
interface Page {
  readonly continuation?: string;
}

/** Bounds the pages in a row that end where they began, as a service that is busy may answer. */
export const PAGES_IN_PLACE_MAX = 100;

/**
 * Yields every page, each read from where the one before has ended. Throws `TABLE_UNAVAILABLE` when the
 * reading does not get on.
 */
export async function* pagesOf<P extends Page>(
  read: (from: Page) => Promise<P>,
): AsyncGenerator<P, void, undefined> {
  let from: Page = {};
  let pagesInPlace = 0;
  for (;;) {
    const page = await read(from);
    yield page;
    const { continuation } = page;
    if (continuation === undefined) return;
    pagesInPlace = continuation === from.continuation ? pagesInPlace + 1 : 0;
    if (pagesInPlace >= PAGES_IN_PLACE_MAX) {
      const message = `${PAGES_IN_PLACE_MAX} pages in a row ended where they began. Ask again.`;
      throw new TransientError('TABLE_UNAVAILABLE', message);
    }
    from = { continuation };
  }
}
