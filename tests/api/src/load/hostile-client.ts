import type { Agent } from 'node:http';
import { readDocument } from '../document/document.ts';
import { createSchemaCompiler } from '../document/schema-checker.ts';
import { createLearnedValues } from '../fuzz/learned-values.ts';
import { planRequest } from '../fuzz/requests/plan-request.ts';
import { sendRequest } from '../fuzz/send/send-request.ts';

export interface HostileOptions {
  readonly port: number;
  readonly agent: Agent;
  readonly seed: number;
}

/** Sends the hostile ones of the fuzzer's requests, and takes whatever comes. */
export function createHostileClient({ port, agent, seed }: HostileOptions): () => Promise<void> {
  const document = readDocument();
  const compile = createSchemaCompiler(document);
  const learned = createLearnedValues();
  let index = 0;
  return async () => {
    let planned = planRequest(index, { document, compile, learned, seed });
    while (planned.kind !== 'hostile') {
      index += 1;
      planned = planRequest(index, { document, compile, learned, seed });
    }
    index += 1;
    await sendRequest(planned, { port, agent });
  };
}
