import { createHmac } from 'node:crypto';
import type { TableStore } from '@tandem/core';
import { openStore } from '@tandem/region';
import { createSystemClock } from '@tandem/service-kit';
import { type Azurite, startAzurite } from '@tandem/storage/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isEmptyTable, readAccount, readPlainPage, writePlainRows } from './plain-table.ts';
import type { TransferRow } from './row-files.ts';

let azurite: Azurite;
beforeAll(async () => {
  azurite = await startAzurite();
});
afterAll(async () => azurite.stop());

const partOf = (name: string): string =>
  new RegExp(`${name}=([^;]+)`).exec(azurite.connectionString)?.[1] ?? '';

/** A shared access signature of the account, for tables, for an hour. */
function signature(permissions: string): string {
  const until = new Date(createSystemClock().nowMs() + 3_600_000).toISOString().slice(0, 19);
  const parts = { sv: '2019-02-02', ss: 't', srt: 'sco', sp: permissions, se: `${until}Z` };
  const account = partOf('AccountName');
  const text = [account, parts.sp, parts.ss, parts.srt, '', parts.se, '', '', parts.sv, ''].join(
    '\n',
  );
  const key = Buffer.from(partOf('AccountKey'), 'base64');
  const sig = createHmac('sha256', key).update(text).digest('base64');
  return new URLSearchParams({ ...parts, sig }).toString();
}

const key = (nth: number): string => String(nth).padStart(5, '0');

async function readAll(store: TableStore, table: string): Promise<string[]> {
  const found: string[] = [];
  let next: string | undefined;
  do {
    const page = await readPlainPage({ store, table }, next);
    for (const one of page.rows) {
      if (one.kind === 'row') found.push(`${one.row.partitionKey}/${one.row.rowKey}`);
    }
    next = page.next;
  } while (next !== undefined);
  return found;
}

describe('a plain table of an account', () => {
  test('is written, and read in the order of its keys, by key and by signature', async () => {
    const rows = Array.from(
      { length: 1_250 },
      (_, nth): TransferRow => ({
        partitionKey: nth < 600 ? 'a b' : `\u{1f600}${nth % 2}`,
        rowKey: key(nth),
        values: new Map([['n', { type: 'Int64', value: BigInt(nth) }]]),
      }),
    );
    const byKey = openStore(
      readAccount('env:OLD', { environment: { OLD: azurite.connectionString } }),
    );
    await byKey.createTable('Orders');
    expect(await isEmptyTable(byKey, 'Orders')).toBe(true);
    await writePlainRows({ store: byKey, table: 'Orders' }, rows);
    expect(await isEmptyTable(byKey, 'Orders')).toBe(false);
    const expected = rows.map((row) => `${row.partitionKey}/${row.rowKey}`).toSorted();
    expect(await readAll(byKey, 'Orders')).toEqual(expected);
    const endpoint = partOf('TableEndpoint');
    for (const given of [
      `${endpoint}?${signature('rl')}`,
      `TableEndpoint=${endpoint};SharedAccessSignature=${signature('rl')}`,
    ]) {
      const signed = openStore(readAccount('env:OLD', { environment: { OLD: given } }));
      expect(await readAll(signed, 'Orders')).toEqual(expected);
      await expect(
        writePlainRows({ store: signed, table: 'Orders' }, rows.slice(0, 1)),
      ).rejects.toMatchObject({ code: 'TABLE_FORBIDDEN' });
    }
    await expect(readAll(byKey, 'Missing')).rejects.toMatchObject({ code: 'TABLE_MISSING' });
  });
});
