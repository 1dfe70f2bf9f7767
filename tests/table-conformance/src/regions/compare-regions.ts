/**
 * Asks the endpoints of two regions the same, and compares the answers byte for byte: every table with its policies,
 * every page of it in each format, with the token that the one region gave sent to both, rows one by one. What cannot be
 * alike is taken out before: ids of requests, dates, and the address that the client itself wrote.
 */
import {
  type RawAnswer,
  RawClient,
  type RawRequest,
  type Server,
} from '../differential/raw-client.ts';

interface RegionDifference {
  readonly request: RawRequest;
  readonly one: RawAnswer;
  readonly other: RawAnswer;
}

export interface ComparedRegions {
  readonly tables: number;
  readonly requests: number;
  readonly differences: readonly RegionDifference[];
}

const LEVELS = ['nometadata', 'minimalmetadata', 'fullmetadata'];
const QUERIES = [
  "$filter=PartitionKey%20eq%20'p'%20or%20n%20ge%200",
  '$select=PartitionKey,s,n,absent',
  '$top=7',
];
const PAGES_MAX = 500;
/** Of each table; pages hold all of them. */
const ROWS_READ_MAX = 20;

async function compareRegions(one: Server, other: Server): Promise<ComparedRegions> {
  const asking = new Asking(one, other);
  try {
    await asking.pages('/?restype=service&comp=properties', 'nometadata');
    const names = rowsOf(await asking.pages('/Tables', 'nometadata'), 'TableName');
    for (const name of names) await asking.table(name);
    return { tables: names.length, requests: asking.requests, differences: asking.differences };
  } finally {
    asking.close();
  }
}

/** Waits for the regions to be quiet: until they answer alike, or for as long as it may take. */
export async function untilAlike(
  one: Server,
  other: Server,
  waitMs: number,
): Promise<ComparedRegions> {
  const endMs = Date.now() + waitMs;
  for (;;) {
    const compared = await compareRegions(one, other);
    if (compared.differences.length === 0 || Date.now() > endMs) return compared;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

const POLL_MS = 500;

class Asking {
  readonly #clients: readonly [RawClient, RawClient];
  readonly differences: RegionDifference[] = [];
  requests = 0;

  constructor(one: Server, other: Server) {
    this.#clients = [new RawClient(one), new RawClient(other)];
  }

  close(): void {
    for (const client of this.#clients) client.close();
  }

  async table(name: string): Promise<void> {
    await this.pages(`/${name}?comp=acl`, 'nometadata');
    for (const level of LEVELS) await this.pages(`/${name}()`, level);
    for (const query of QUERIES) await this.pages(`/${name}()?${query}`, 'minimalmetadata');
    const bodies = await this.pages(`/${name}()?$select=PartitionKey,RowKey`, 'nometadata');
    const partitions = rowsOf(bodies, 'PartitionKey');
    const rows = rowsOf(bodies, 'RowKey');
    for (const [index, row] of rows.slice(0, ROWS_READ_MAX).entries()) {
      const keys = [partitions[index] ?? '', row].map((key) =>
        encodeURIComponent(key.replaceAll("'", "''")),
      );
      await this.pages(`/${name}(PartitionKey='${keys[0]}',RowKey='${keys[1]}')`, 'fullmetadata');
    }
  }

  /** Returns the bodies that the first region gave, page by page. */
  async pages(target: string, level: string): Promise<readonly string[]> {
    const bodies: string[] = [];
    let next: string | undefined = '';
    for (let page = 0; page < PAGES_MAX && next !== undefined; page += 1) {
      const mark = target.includes('?') ? '&' : '?';
      const answer = await this.#ask({
        method: 'GET',
        target: next === '' ? target : `${target}${mark}${next}`,
        headers: target.includes('comp=') ? {} : { accept: `application/json;odata=${level}` },
        body: '',
      });
      bodies.push(answer.body);
      next = nextOf(answer);
    }
    return bodies;
  }

  async #ask(request: RawRequest): Promise<RawAnswer> {
    const answers = await Promise.all(
      this.#clients.map(async (client) => plain(await client.send(request), client.base)),
    );
    const [one, other] = answers as [RawAnswer, RawAnswer];
    this.requests += 1;
    if (JSON.stringify(one) !== JSON.stringify(other)) {
      this.differences.push({ request, one, other });
    }
    return one;
  }
}

const OF_ONE_ANSWER: ReadonlySet<string> = new Set(['date', 'x-ms-request-id', 'content-length']);

function plain({ status, headers, body }: RawAnswer, base: string): RawAnswer {
  const kept = Object.entries(headers).filter(([name]) => !OF_ONE_ANSWER.has(name));
  const text = body
    .replaceAll(base, 'BASE')
    .replaceAll(base.replace('http:', 'https:'), 'BASE')
    .replaceAll(/RequestId:\S+\nTime:\S+Z/g, '');
  return { status, headers: Object.fromEntries(kept), body: text };
}

function nextOf({ headers }: RawAnswer): string | undefined {
  const tokens = ['NextTableName', 'NextPartitionKey', 'NextRowKey'].flatMap((name) => {
    const token = headers[`x-ms-continuation-${name.toLowerCase()}`];
    return token === undefined ? [] : [`${name}=${encodeURIComponent(token)}`];
  });
  return tokens.length === 0 ? undefined : tokens.join('&');
}

function rowsOf(bodies: readonly string[], property: string): readonly string[] {
  return bodies.flatMap((body) =>
    (JSON.parse(body) as { value: readonly Record<string, string>[] }).value.map(
      (row) => row[property] ?? '',
    ),
  );
}
