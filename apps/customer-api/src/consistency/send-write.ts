import { versionOf } from '../batch/apply-batch.ts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type {
  CreateOutcome,
  CustomerOutcome,
  CustomerService,
} from '../customers/customer-service.ts';
import { sendOutcome } from '../routes/send-outcome.ts';
import { nameUnknownLevel, readPreferences } from './preferences.ts';

interface WriteExchange {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly customers: Pick<CustomerService, 'acknowledgementOf' | 'receiptFor'>;
}

/**
 * Answers a write, and says which acknowledgement level it has reached. A write that is committed is
 * never answered with an error because it has not reached more. Throws the problem that the outcome
 * is to a client.
 */
export async function sendWrite(
  { request, reply, customers }: WriteExchange,
  outcome: CustomerOutcome | CreateOutcome,
): Promise<FastifyReply> {
  const version = versionOf(outcome);
  if (version === undefined) return sendOutcome(reply, outcome);
  const id = 'record' in outcome ? outcome.record.entityId : idOf(request);
  reply.header('x-tandem-receipt', customers.receiptFor(id, version));
  const preferences = readPreferences(request.headers.prefer?.toString());
  const { acknowledgement, peers: asked, waitMs } = preferences;
  nameUnknownLevel(reply, preferences);
  if (acknowledgement === 'local') {
    reply.header('x-tandem-acknowledged', 'local');
    return sendOutcome(reply, outcome);
  }
  const { level, peers } = await customers.acknowledgementOf(version, { peers: asked, waitMs });
  reply.header('x-tandem-acknowledged', level);
  if (peers.length > 0) reply.header('x-tandem-queued-peers', peers.join(', '));
  if (level === 'queued') reply.header('preference-applied', 'ack=queued');
  return sendOutcome(reply, outcome);
}

function idOf(request: FastifyRequest): string {
  return (request.params as { readonly customerId: string }).customerId;
}
