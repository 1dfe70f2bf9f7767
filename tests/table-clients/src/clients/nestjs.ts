import assert from 'node:assert/strict';
import {
  AzureTableStorageModule,
  type AzureTableStorageRepository,
  EntityDateTime,
  EntityInt32,
  EntityPartitionKey,
  EntityRowKey,
  EntityString,
} from '@nestjs/azure-database';
import { type INestApplicationContext, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { OpenClient } from '../client.ts';

class Contact {
  partitionKey = 'contacts';
  rowKey = '';
  name = '';
  visits = 0;
  since = new Date(0);
}

// Written as calls, since Node runs no decorators; what a compiler would tell of types is told by hand.
EntityPartitionKey('contacts')(Contact);
EntityRowKey('rowKey')(Contact);
for (const [name, type, decorate] of [
  ['name', String, EntityString()],
  ['visits', Number, EntityInt32()],
  ['since', Date, EntityDateTime()],
] as const) {
  Reflect.defineMetadata('design:type', type, Contact.prototype, name);
  decorate(Contact.prototype, name);
}

type Repository = AzureTableStorageRepository<Contact>;

const SINCE = new Date(Date.UTC(2026, 1, 3, 4, 5, 6));

/** A module of the Nest framework, in an application made as its users make theirs. */
export const openNest: OpenClient = (connection) => {
  // It takes its connection from there alone.
  process.env['AZURE_STORAGE_CONNECTION_STRING'] = connection;
  return {
    work: (round) => withContacts(round, workOnContacts),
    find: (round) => withContacts(round, findContacts),
  };
};

async function withContacts(
  round: number,
  act: (contacts: Repository) => Promise<void>,
): Promise<void> {
  // A module is a class that bears what a decorator says of it.
  // oxlint-disable-next-line typescript/no-extraneous-class -- It has nothing else.
  class AppModule {}
  const contacts = AzureTableStorageModule.forFeature(Contact, {
    table: `Nest${round}`,
    createTableIfNotExists: true,
  });
  Module({ imports: [contacts] })(AppModule);
  const app: INestApplicationContext = await NestFactory.createApplicationContext(AppModule, {
    logger: false,
    // Otherwise it ends the process, and says nothing.
    abortOnError: false,
  });
  try {
    await act(app.get<Repository>('ContactAzureTableStorageRepository', { strict: false }));
  } finally {
    await app.close();
  }
}

async function workOnContacts(contacts: Repository): Promise<void> {
  const ada = Object.assign(new Contact(), { rowKey: 'ada', name: 'Ada', visits: 1, since: SINCE });
  assert.ok(await contacts.create(ada));
  // What is there already it answers with null, and logs.
  assert.equal(await contacts.create(ada), null);
  assert.ok(await contacts.create(Object.assign(new Contact(), { rowKey: 'bob', name: 'Bob' })));
  assert.ok(
    await contacts.update('contacts', 'ada', Object.assign(new Contact(), ada, { visits: 2 })),
  );
  assert.equal((await contacts.findAll()).length, 2);
  await contacts.delete('contacts', 'bob');
  assert.equal(await contacts.find('contacts', 'bob'), null);
}

async function findContacts(contacts: Repository): Promise<void> {
  const ada = await contacts.find('contacts', 'ada');
  assert.deepEqual([ada.name, ada.visits, ada.since], ['Ada', 2, SINCE]);
  assert.equal((await contacts.findAll()).length, 1);
}
