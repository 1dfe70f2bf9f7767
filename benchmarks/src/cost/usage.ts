/** What is billed, counted. */
export interface Usage {
  /** Requests to a storage account; a transaction over several rows is one. */
  tableRequests: number;
  /** Rows in those transactions, and one for every other request. */
  tableRows: number;
  /** Sends, receives and completions, each for every 64 KiB of a message. */
  busOperations: number;
  /** Of messages to other regions, bodies alone. */
  bytesBetweenRegions: number;
}

/** How Service Bus counts: a message once sent, once received, once completed, for each 64 KiB. */
const BILLED_BYTES = 64 * 1_024;
const OPERATIONS_PER_MESSAGE = 3;

export function newUsage(): Usage {
  return { tableRequests: 0, tableRows: 0, busOperations: 0, bytesBetweenRegions: 0 };
}

export function noteMessage(usage: Usage, bytes: number): void {
  usage.busOperations += OPERATIONS_PER_MESSAGE * Math.max(1, Math.ceil(bytes / BILLED_BYTES));
  usage.bytesBetweenRegions += bytes;
}

export function noteRequest(usage: Usage, rows = 1): void {
  usage.tableRequests += 1;
  usage.tableRows += rows;
}

/** What was used between two readings, by `divisor`. */
export function usageBetween(before: Usage, after: Usage, divisor: number): Usage {
  return {
    tableRequests: (after.tableRequests - before.tableRequests) / divisor,
    tableRows: (after.tableRows - before.tableRows) / divisor,
    busOperations: (after.busOperations - before.busOperations) / divisor,
    bytesBetweenRegions: (after.bytesBetweenRegions - before.bytesBetweenRegions) / divisor,
  };
}
