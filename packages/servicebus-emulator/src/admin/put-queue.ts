import { assertNever } from '../assert-never.ts';
import type { QueueProperties } from '../queue/queue-properties.ts';
import {
  type AdminAction,
  type AdminRequest,
  type AdminResponse,
  atom,
  failure,
  notFound,
} from './admin-request.ts';
import { readEntry, writeEntry } from './atom.ts';
import { readQueueDescription, toEntry } from './queue-description.ts';

async function create(
  { namespace, path, baseUrl }: AdminRequest,
  properties: Partial<QueueProperties>,
): Promise<AdminResponse> {
  const outcome = await namespace.create(path, properties);
  switch (outcome.kind) {
    case 'created':
      return atom(201, writeEntry(toEntry(outcome.entity, baseUrl)));
    case 'exists':
      return failure(409, `SubCode=40900. Conflict: the queue '${path}' already exists.`);
    case 'invalid':
      return failure(400, `${outcome.problem}. SubCode=40000.`);
    default:
      return assertNever(outcome);
  }
}

async function update(
  { namespace, path, baseUrl }: AdminRequest,
  properties: Partial<QueueProperties>,
): Promise<AdminResponse> {
  const outcome = await namespace.update(path, properties);
  switch (outcome.kind) {
    case 'updated':
      return atom(200, writeEntry(toEntry(outcome.entity, baseUrl)));
    case 'not-found':
      return notFound(path);
    case 'invalid':
      return failure(400, `${outcome.problem}. SubCode=40000.`);
    default:
      return assertNever(outcome);
  }
}

/** Creates a queue, or changes the settings of one that must exist. */
export const putQueue: AdminAction = async (request) => {
  const content = readEntry(request.body);
  if (content === undefined) return failure(400, 'The body is no Atom entry. SubCode=40000.');
  if (content.name !== 'QueueDescription') {
    return failure(400, `The emulator has queues only, got ${content.name}. SubCode=40000.`);
  }
  const read = readQueueDescription(content.fields, content.nested);
  if (read.kind === 'refused') return failure(400, read.problem);
  return request.mustExist ? update(request, read.properties) : create(request, read.properties);
};
