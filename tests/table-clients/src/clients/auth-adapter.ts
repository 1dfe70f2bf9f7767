import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { keys, TableStorageAdapter } from '@auth/azure-tables-adapter';
import type { Adapter } from '@auth/core/adapters';
import { TableClient } from '@azure/data-tables';
import type { OpenClient } from '../client.ts';

const WEEK_MS = 7 * 86_400_000;
const IDENTIFIER = 'info@example.com';

/**
 * Users, accounts, sessions and tokens of Auth.js. What is asked of it is what the suite of its authors asks of every
 * adapter: each method's answer, and the row that is there afterwards or no longer.
 */
export const openAuthAdapter: OpenClient = (connection) => {
  const open = (round: number) => {
    const table = TableClient.fromConnectionString(connection, `AuthAdapter${round}`);
    return { table, adapter: TableStorageAdapter(table) as Required<Adapter> };
  };
  return {
    async work(round) {
      const { table, adapter } = open(round);
      await table.createTable();
      await workOnLife(table, adapter, round);
      await workOnTokens(table, adapter);
      return leaveSome(adapter, round);
    },
    async find(round, facts) {
      const { table, adapter } = open(round);
      const { userId, sessionToken } = facts as { userId: string; sessionToken: string };
      const user = await adapter.getUser(userId);
      assert.equal(user?.email, emailOf(round, 'kept'));
      assert.deepEqual(await adapter.getUserByEmail(emailOf(round, 'kept')), user);
      assert.equal((await adapter.getSessionAndUser(sessionToken))?.user.id, userId);
      const account = { provider: 'github', providerAccountId: 'kept' };
      assert.deepEqual(await adapter.getUserByAccount(account), user);
      assert.equal(await adapter.getUserByEmail(emailOf(round, 'gone')), null);
      assert.equal(await rowOf(table, keys.verificationToken, 'used'), undefined);
    },
  };
};

const emailOf = (round: number, name: string): string => `${name}.${round}@murray.example`;

const newUser = (round: number, name: string) => ({
  id: randomUUID(),
  email: emailOf(round, name),
  image: 'https://images.example/460/300',
  name: 'Fill Murray',
  emailVerified: new Date(),
});

/** Returns what there is beside the keys and what the service adds. */
async function rowOf(
  table: TableClient,
  partitionKey: string,
  rowKey: string,
): Promise<Record<string, unknown> | undefined> {
  try {
    const row = await table.getEntity(partitionKey, rowKey);
    const { partitionKey: _p, rowKey: _r, etag: _e, timestamp: _t, ...rest } = row;
    return Object.fromEntries(Object.entries(rest).filter(([name]) => !name.startsWith('odata.')));
  } catch (error) {
    if ((error as { statusCode?: number }).statusCode === 404) return undefined;
    throw error;
  }
}

async function workOnLife(
  table: TableClient,
  adapter: Required<Adapter>,
  round: number,
): Promise<void> {
  const asked = newUser(round, 'gone');
  const { id } = await adapter.createUser(asked);
  const user = { ...asked, id };
  assert.deepEqual(await rowOf(table, keys.user, id), user);
  assert.equal(await adapter.getUser(randomUUID()), null);
  assert.deepEqual(await adapter.getUser(id), user);
  assert.equal(await adapter.getUserByEmail('nobody@murray.example'), null);
  assert.deepEqual(await adapter.getUserByEmail(user.email), user);

  const session = {
    sessionToken: randomUUID(),
    userId: id,
    expires: new Date(Date.now() + WEEK_MS),
  };
  await adapter.createSession(session);
  assert.deepEqual(await rowOf(table, keys.session, session.sessionToken), session);
  assert.equal(await adapter.getSessionAndUser('invalid'), null);
  assert.deepEqual(await adapter.getSessionAndUser(session.sessionToken), { user, session });

  assert.equal((await adapter.updateUser({ id, name: 'Updated' })).name, 'Updated');
  assert.equal((await rowOf(table, keys.user, id))?.['name'], 'Updated');
  const expires = new Date(Date.now() + 4 * WEEK_MS);
  await adapter.updateSession({ sessionToken: session.sessionToken, expires });
  assert.deepEqual((await rowOf(table, keys.session, session.sessionToken))?.['expires'], expires);

  const account = {
    provider: 'github',
    providerAccountId: randomUUID(),
    type: 'oauth' as const,
    access_token: randomUUID(),
    expires_at: 2_592_000,
    scope: 'user',
    userId: id,
  };
  const accountKey = `${account.providerAccountId}_github`;
  await adapter.linkAccount(account);
  assert.deepEqual(await rowOf(table, keys.account, accountKey), account);
  assert.equal(
    await adapter.getUserByAccount({ provider: 'none', providerAccountId: 'none' }),
    null,
  );
  assert.deepEqual(await adapter.getUserByAccount(account), { ...user, name: 'Updated' });

  await adapter.deleteSession(session.sessionToken);
  assert.equal(await rowOf(table, keys.session, session.sessionToken), undefined);
  await adapter.unlinkAccount(account);
  assert.equal(await rowOf(table, keys.account, accountKey), undefined);

  await adapter.createSession(session);
  await adapter.linkAccount(account);
  await adapter.deleteUser(id);
  assert.equal(await rowOf(table, keys.user, id), undefined);
  assert.equal(await rowOf(table, keys.session, session.sessionToken), undefined);
  assert.equal(await rowOf(table, keys.account, accountKey), undefined);
}

async function workOnTokens(table: TableClient, adapter: Required<Adapter>): Promise<void> {
  const expires = new Date(Date.now() + 900_000);
  const kept = { token: 'kept', identifier: IDENTIFIER, expires };
  await adapter.createVerificationToken(kept);
  assert.deepEqual(await rowOf(table, keys.verificationToken, 'kept'), kept);
  const used = { token: 'used', identifier: IDENTIFIER, expires };
  await adapter.createVerificationToken(used);
  assert.deepEqual(await adapter.useVerificationToken(used), used);
  assert.equal(await adapter.useVerificationToken(used), null);
}

async function leaveSome(
  adapter: Required<Adapter>,
  round: number,
): Promise<{ userId: string; sessionToken: string }> {
  const { id: userId } = await adapter.createUser(newUser(round, 'kept'));
  const sessionToken = randomUUID();
  await adapter.createSession({ sessionToken, userId, expires: new Date(Date.now() + WEEK_MS) });
  const account = { provider: 'github', providerAccountId: 'kept', type: 'oauth' as const, userId };
  await adapter.linkAccount(account);
  return { userId, sessionToken };
}
