import type { Outbox, OutboxPage } from '../ports/outbox.ts';

export interface BucketOutbox {
  readonly bucket: string;
  /** Those that rows may be parked for. */
  readonly peers: readonly string[];
}

const PAGE_ROWS = 1_000;

/** All of one bucket, page after page: what is not parked first, then what is parked for each peer. */
export async function* scanOutbox(
  outbox: Pick<Outbox, 'scan'>,
  { bucket, peers }: BucketOutbox,
): AsyncGenerator<OutboxPage> {
  for (const parkedFor of [undefined, ...peers]) {
    let continuation: string | undefined;
    do {
      const page = await outbox.scan({
        bucket,
        limit: PAGE_ROWS,
        ...(parkedFor === undefined ? {} : { parkedFor }),
        ...(continuation === undefined ? {} : { continuation }),
      });
      yield page;
      ({ continuation } = page);
    } while (continuation !== undefined);
  }
}
