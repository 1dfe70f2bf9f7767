/** Draws requests of the Table service over few tables and keys, so that they meet, with hard values among them. */
import type { Randomness } from '@tandem/core';
import type { RawRequest } from './raw-client.ts';

/** Stands in a request for the tag that a server gave the row last, or the one before. */
export const TAG = /<(tag|stale):([^>]*)>/g;

/** Names a row in one text. */
export function rowName(table: string, partitionKey: string, rowKey: string): string {
  return encodeURIComponent(JSON.stringify([table.toLowerCase(), partitionKey, rowKey]));
}

export const TABLES = ['Alpha', 'Beta', 'gamma3'];
const BAD_TABLES = ['a', 'ab', '1abc', 'with-dash', 'x'.repeat(64), 'tables'];
const KEYS = [
  'p',
  'P',
  'p q',
  '!',
  'a!0b',
  "it's",
  'a,b',
  'é',
  '😀',
  '',
  'x'.repeat(200),
  '~',
  '%',
];

/** A value as JSON, with the type where the JSON does not tell it; undefined for one that no filter names. */
type Value = readonly [json: string, type: string | undefined, literal: string | undefined];

const TEXTS: readonly Value[] = [
  ['"text"', undefined, "'text'"],
  ['""', undefined, "''"],
  ['"it\'s"', undefined, "'it''s'"],
  ['"ünï \\ud83d\\ude00 \\"quoted\\" \\\\ \\n"', undefined, undefined],
];
const LONGS: readonly Value[] = [
  ['"0"', 'Edm.Int64', '0L'],
  ['"9223372036854775807"', 'Edm.Int64', '9223372036854775807L'],
  ['"-9223372036854775808"', 'Edm.Int64', undefined],
];
const DOUBLES: readonly Value[] = [
  ['1.5', undefined, '1.5'],
  ['-0.25', undefined, '-0.25'],
  ['1e300', 'Edm.Double', undefined],
  ['5.0', undefined, '5.0'],
  ['"NaN"', 'Edm.Double', undefined],
  ['"Infinity"', 'Edm.Double', undefined],
];
const TIMES: readonly Value[] = [
  ['"2020-02-29T23:59:59.1234567Z"', 'Edm.DateTime', "datetime'2020-02-29T23:59:59.1234567Z'"],
  ['"1601-01-01T00:00:00Z"', 'Edm.DateTime', "datetime'1601-01-01T00:00:00Z'"],
  ['"9999-12-31T23:59:59Z"', 'Edm.DateTime', undefined],
];
const GUIDS: readonly Value[] = [
  ['"00000000-0000-0000-0000-000000000000"', 'Edm.Guid', undefined],
  [
    '"3f2504e0-4f89-41d3-9a0c-0305e82c3301"',
    'Edm.Guid',
    "guid'3f2504e0-4f89-41d3-9a0c-0305e82c3301'",
  ],
];
const BYTES: readonly Value[] = [
  ['""', 'Edm.Binary', undefined],
  ['"AAEC/w=="', 'Edm.Binary', "X'000102ff'"],
];
const WHOLES: readonly Value[] = [
  ['0', undefined, '0'],
  ['-1', undefined, '-1'],
  ['2147483647', undefined, '2147483647'],
  ['-2147483648', undefined, undefined],
];
const TRUTHS: readonly Value[] = [
  ['true', undefined, 'true'],
  ['false', undefined, 'false'],
];

/** Each property has values of one type, since the other server compares some types as the texts that it keeps. */
const PROPERTIES: Readonly<Record<string, readonly Value[]>> = {
  s: TEXTS,
  n: WHOLES,
  long: LONGS,
  double: DOUBLES,
  flag: TRUTHS,
  when: TIMES,
  guid: GUIDS,
  bytes: BYTES,
  id: TEXTS,
  etag: WHOLES,
  ETag: TRUTHS,
  größe: [['null', undefined, undefined]],
  नाम: [
    ['7', undefined, undefined],
    ['null', undefined, undefined],
  ],
  _under: GUIDS,
};
const NAMES = Object.keys(PROPERTIES);
const LITERALS = Object.values(PROPERTIES).flatMap((values) =>
  values.flatMap(([, , literal]) => (literal === undefined ? [] : [literal])),
);
const OPERATORS = ['eq', 'ne', 'gt', 'ge', 'lt', 'le'];
const ACCEPTS = ['minimalmetadata', 'nometadata', 'fullmetadata'];

interface RowKeys {
  readonly table: string;
  readonly partitionKey: string;
  readonly rowKey: string;
}

type Chance = readonly [weight: number, draw: () => RawRequest];

export class RequestDrawer {
  readonly #random: Randomness;

  constructor(random: Randomness) {
    this.#random = random;
  }

  draw(): RawRequest {
    const chances: readonly Chance[] = [
      [4, () => this.#createTable()],
      [1, () => this.#deleteTable()],
      [1, () => this.#listTables()],
      [24, () => this.#insert()],
      [24, () => this.#update()],
      [8, () => this.#remove()],
      [14, () => this.#get()],
      [20, () => this.#query()],
      [12, () => this.#transaction()],
    ];
    return this.#weighted(chances)();
  }

  #weighted(chances: readonly Chance[]): () => RawRequest {
    let left = this.#random.fraction() * chances.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, draw] of chances) {
      left -= weight;
      if (left < 0) return draw;
    }
    return chances[0]![1];
  }

  #one<T>(values: readonly T[]): T {
    return values[Math.floor(this.#random.fraction() * values.length)]!;
  }

  #chance(share: number): boolean {
    return this.#random.fraction() < share;
  }

  #table(): string {
    return this.#one(TABLES);
  }

  /** Most keys are few, so that rows meet. */
  #key(): string {
    return this.#chance(0.6) ? this.#one(KEYS.slice(0, 4)) : this.#one(KEYS);
  }

  #accept(): Record<string, string> {
    return { accept: `application/json;odata=${this.#one(ACCEPTS)}` };
  }

  #createTable(): RawRequest {
    const name = this.#chance(0.15) ? this.#one(BAD_TABLES) : this.#table();
    return {
      method: 'POST',
      target: '/Tables',
      headers: { ...this.#accept(), ...JSON_TYPE, ...this.#prefer() },
      body: JSON.stringify({ TableName: name }),
    };
  }

  #prefer(): Record<string, string> {
    const prefer = this.#one([undefined, 'return-no-content', 'return-content']);
    return prefer === undefined ? {} : { prefer };
  }

  #deleteTable(): RawRequest {
    const target = `/Tables('${this.#table()}')`;
    return { method: 'DELETE', target, headers: { accept: 'application/json' }, body: '' };
  }

  #listTables(): RawRequest {
    return { method: 'GET', target: '/Tables', headers: this.#accept(), body: '' };
  }

  #properties(): string {
    const members: string[] = [];
    for (const name of NAMES) {
      if (!this.#chance(0.25)) continue;
      const [json, type] = this.#one(PROPERTIES[name]!);
      if (type !== undefined) members.push(`${JSON.stringify(`${name}@odata.type`)}:"${type}"`);
      members.push(`${JSON.stringify(name)}:${json}`);
    }
    return members.map((member) => `,${member}`).join('');
  }

  #insert(): RawRequest {
    const [partitionKey, rowKey] = [this.#key(), this.#key()];
    const keys = this.#chance(0.02)
      ? `"PartitionKey":${JSON.stringify(partitionKey)}`
      : `"PartitionKey":${JSON.stringify(partitionKey)},"RowKey":${JSON.stringify(rowKey)}`;
    return {
      method: 'POST',
      target: `/${this.#table()}`,
      headers: { ...this.#accept(), ...JSON_TYPE, ...this.#prefer() },
      body: `{${keys}${this.#properties()}}`,
    };
  }

  #row(): RowKeys {
    return { table: this.#table(), partitionKey: this.#key(), rowKey: this.#key() };
  }

  #ifMatch(row: RowKeys, needsOne: boolean): Record<string, string> {
    const name = rowName(row.table, row.partitionKey, row.rowKey);
    const forms = ['*', `<tag:${name}>`, `<tag:${name}>`, `<stale:${name}>`, WRONG_TAG];
    const form = !needsOne && this.#chance(0.5) ? undefined : this.#one(forms);
    return form === undefined ? {} : { 'if-match': form };
  }

  #update(row = this.#row()): RawRequest {
    return {
      method: this.#one(['PUT', 'PATCH', 'MERGE']),
      target: addressOf(row),
      headers: { ...this.#accept(), ...JSON_TYPE, ...this.#ifMatch(row, false) },
      body: `{"PartitionKey":${JSON.stringify(row.partitionKey)},"RowKey":${JSON.stringify(row.rowKey)}${this.#properties()}}`,
    };
  }

  #remove(row = this.#row()): RawRequest {
    const headers = { accept: 'application/json', ...this.#ifMatch(row, true) };
    return { method: 'DELETE', target: addressOf(row), headers, body: '' };
  }

  #get(): RawRequest {
    const select = this.#select();
    const query = select === '' ? '' : `?${select}`;
    const target = `${addressOf(this.#row())}${query}`;
    return { method: 'GET', target, headers: this.#accept(), body: '' };
  }

  #select(): string {
    if (!this.#chance(0.25)) return '';
    const names = ['PartitionKey', 'RowKey', 'Timestamp', ...NAMES].filter(() => this.#chance(0.3));
    return names.length === 0 ? '' : `$select=${names.map(encodeURIComponent).join(',')}`;
  }

  #query(): RawRequest {
    const options = [this.#select()];
    if (this.#chance(0.7)) options.push(`$filter=${encodeURIComponent(this.#filter(3))}`);
    if (this.#chance(0.4)) options.push(`$top=${this.#one([1, 2, 3, 7])}`);
    const query = options.filter((option) => option !== '').join('&');
    const target = `/${this.#table()}()${query === '' ? '' : `?${query}`}`;
    return { method: 'GET', target, headers: this.#accept(), body: '' };
  }

  #filter(depth: number): string {
    if (depth > 0 && this.#chance(0.4)) {
      const [left, right] = [this.#filter(depth - 1), this.#filter(depth - 1)];
      return `(${left}) ${this.#one(['and', 'or'])} (${right})`;
    }
    if (depth > 0 && this.#chance(0.15)) return `not (${this.#filter(depth - 1)})`;
    if (this.#chance(0.4)) {
      const key = `'${this.#key().replaceAll("'", "''")}'`;
      return `${this.#one(['PartitionKey', 'RowKey'])} ${this.#one(OPERATORS)} ${key}`;
    }
    const name = this.#one(NAMES);
    const literals = PROPERTIES[name]!.flatMap(([, , literal]) => literal ?? []);
    // A property that no row has is compared with anything.
    if (literals.length === 0 || this.#chance(0.1)) {
      return `missing ${this.#one(OPERATORS)} ${this.#one(LITERALS)}`;
    }
    // The other server has an order of its own for them.
    const operators = PROPERTIES[name] === GUIDS ? ['eq', 'ne'] : OPERATORS;
    return `${name} ${this.#one(operators)} ${this.#one(literals)}`;
  }

  #transaction(): RawRequest {
    const { table, partitionKey } = this.#row();
    const count = 1 + Math.floor(this.#random.fraction() * 6);
    const rows = new Set(Array.from({ length: count }, () => this.#key()));
    const parts = [...rows].map((rowKey) => this.#operation({ table, partitionKey, rowKey }));
    if (this.#chance(0.05)) parts.push(parts[0]!);
    const changes = parts.map((part) => `--changeset_1\r\n${part}\r\n`).join('');
    return {
      method: 'POST',
      target: '/$batch',
      headers: { accept: 'application/json', 'content-type': 'multipart/mixed; boundary=batch_1' },
      body: `--batch_1\r\nContent-Type: multipart/mixed; boundary=changeset_1\r\n\r\n${changes}--changeset_1--\r\n--batch_1--\r\n`,
    };
  }

  #operation(row: RowKeys): string {
    const request = this.#one([
      () => this.#insertOf(row),
      () => this.#update(row),
      () => this.#remove(row),
    ])();
    const lines = Object.entries(request.headers).map(([name, value]) => `${name}: ${value}`);
    const address = `http://127.0.0.1/devstoreaccount1${request.target}`;
    return [
      'Content-Type: application/http',
      'Content-Transfer-Encoding: binary',
      '',
      `${request.method} ${address} HTTP/1.1`,
      ...lines,
      '',
      request.body,
    ].join('\r\n');
  }

  #insertOf({ table, partitionKey, rowKey }: RowKeys): RawRequest {
    return {
      method: 'POST',
      target: `/${table}`,
      headers: { ...this.#accept(), ...JSON_TYPE, ...this.#prefer() },
      body: `{"PartitionKey":${JSON.stringify(partitionKey)},"RowKey":${JSON.stringify(rowKey)}${this.#properties()}}`,
    };
  }
}

const JSON_TYPE = { 'content-type': 'application/json' };
const WRONG_TAG = `W/"datetime'2020-01-01T00%3A00%3A00.0000000Z'"`;

function addressOf(row: RowKeys): string {
  const quoted = (key: string): string =>
    encodeURIComponent(key.replaceAll("'", "''")).replaceAll("'", '%27');
  return `/${row.table}(PartitionKey='${quoted(row.partitionKey)}',RowKey='${quoted(row.rowKey)}')`;
}
