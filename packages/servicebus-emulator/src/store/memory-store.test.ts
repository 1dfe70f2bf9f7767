import { describeStoreContract } from '../testing/message-store-contract.ts';
import { createMemoryStore } from './memory-store.ts';

describeStoreContract('The store in memory', () => Promise.resolve(createMemoryStore()));
