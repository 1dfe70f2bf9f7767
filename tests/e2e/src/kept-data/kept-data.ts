import { join } from 'node:path';

/** The regions of an earlier release as they lay on disk, and what their clients had been told. */
export const KEPT_DATA = join(import.meta.dirname, '../../kept/data.tar.gz');

/** Other than the default, so that a build that overlooks the setting is found out. */
export const BUCKET_COUNT = 3;

export interface KeptCustomer {
  readonly customerId: string;
  readonly email: string | null;
  readonly firstName: string | null;
  readonly lastName: string | null;
  readonly phoneNumber: string | null;
}

/** What both regions have to show once everything has arrived. */
export interface KeptRecord {
  readonly living: readonly KeptCustomer[];
  readonly deleted: readonly string[];
  /** By the region that did not hear of them: created in the other one, and on their way from it. */
  readonly waiting: Readonly<
    Record<string, { readonly inQueue: readonly string[]; readonly inOutbox: readonly string[] }>
  >;
}
