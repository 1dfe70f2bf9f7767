import type { TableStore } from '@tandem/core';

type Call<Method extends keyof TableStore> = {
  readonly kind: Method;
  readonly args: Parameters<TableStore[Method]>;
};

/** Puts so many customers into the table, as both regions would have them. */
export interface SeedRequest {
  readonly kind: 'seed';
  readonly customers: number;
  readonly bucketCount: number;
  readonly nowMs: number;
}

export type StoreRequest =
  | Call<'createTable'>
  | Call<'get'>
  | Call<'commit'>
  | Call<'query'>
  | Call<'timeMs'>
  | SeedRequest;

export type StoreAnswer =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: string };
