import type { Agent } from 'node:http';
import { readDocument } from '../document/document.ts';
import { createSchemaCompiler } from '../document/schema-checker.ts';
import { createLearnedValues } from '../fuzz/learned-values.ts';
import { planRequest } from '../fuzz/requests/plan-request.ts';
import type { PlannedRequest } from '../fuzz/requests/planned-request.ts';
import { sendRequest } from '../fuzz/send/send-request.ts';

export interface HostileOptions {
  readonly port: number;
  readonly agent: Agent;
  readonly seed: number;
}

/** Sends the hostile ones of the fuzzer's requests, one a call, and takes whatever comes. */
export function createHostileClient({ port, agent, seed }: HostileOptions): () => Promise<void> {
  const document = readDocument();
  const compile = createSchemaCompiler(document);
  const learned = createLearnedValues();
  let index = 0;
  return async () => {
    const plan = (): PlannedRequest => planRequest(index++, { document, compile, learned, seed });
    let planned = plan();
    while (planned.kind !== 'hostile') planned = plan();
    await sendRequest(planned, { port, agent });
  };
}
