import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import type { AdminResponse } from '../admin/atom.ts';
import { sendRefusal } from '../amqp/conditions.ts';
import { refusalOfUse } from '../amqp/incoming-link.ts';
import { encodeValues, types } from '../amqp/rhea-internals.ts';
import { findSiteFault } from '../faults.ts';
import { withMessageId } from '../message/edit-message.ts';
import { readMessage } from '../message/message-codec.ts';
import { SECTION } from '../message/sections.ts';
import type { QueueEntity, Tenant } from '../namespace.ts';
import type { StoredMessage } from '../store/message-store.ts';
import { describeMessage } from './describe-message.ts';
import { type Html, html, PAGE_HEADERS, writePage } from './html.ts';

/**
 * A page for a person: the queues, what lies in them, a test message, dead letters put back or thrown away. It has no
 * password, so it answers this machine alone, and not at all where tokens are verified.
 */
export interface MessagePageOptions {
  readonly tenants: readonly Tenant[];
  readonly allowedHosts: readonly string[];
  /** False while any token will do. */
  readonly verifiesTokens: boolean;
}

export type MessagePage = (
  message: IncomingMessage,
  readBody: () => Promise<string | undefined>,
) => Promise<AdminResponse>;

/** No name of a queue begins so. */
const PATH = '/$messages';
const QUEUES_MAX = 500;
const MESSAGES_MAX = 20;
const BODY_BYTES_LISTED = 2 * 1024;
const BODY_BYTES_MAX = 64 * 1024;
/** What one press puts back or throws away. */
const DEAD_LETTERS_MAX = 100;
const FORM_TOKEN_BYTES = 32;

/** Asked of the target as it was sent; one that is a whole URL is no page's. */
export function isMessagePage(target = '/'): boolean {
  return /^\/\$messages(?:[/?]|$)/.test(target);
}

export function createMessagePage(options: MessagePageOptions): MessagePage {
  const { tenants, allowedHosts, verifiesTokens } = options;
  const formToken = randomBytes(FORM_TOKEN_BYTES).toString('base64url');
  return async (message, readBody) => {
    const url = new URL(message.url ?? '/', 'http://localhost');
    if (verifiesTokens) return refuse(403, 'Tokens are verified here, and a page has none');
    if (!isLoopback(message.socket.remoteAddress)) {
      return refuse(403, 'Messages are shown on the machine of the emulator alone: open 127.0.0.1');
    }
    const fault = findSiteFault(message, allowedHosts);
    if (fault !== undefined) return refuse(403, fault);
    const view = url.pathname.slice(PATH.length);
    if (message.method === 'GET' && (view === '' || view === '/')) return show(queuesView(tenants));
    if (message.method === 'GET' && view === '/queue') {
      return queueAnswer({ ...options, formToken }, url.searchParams);
    }
    const act = message.method === 'POST' ? ACTS.get(view) : undefined;
    if (act === undefined) return refuse(404, 'There is no such page');
    const body = await readBody();
    if (body === undefined) return refuse(413, 'The form is too long');
    const form = new URLSearchParams(body);
    if (!isSame(form.get('formToken') ?? '', formToken)) {
      return refuse(403, 'The form is of an emulator that has ended: open the page anew');
    }
    const place = findPlace(tenants, form);
    if (place === undefined) return refuse(404, 'There is no such queue');
    const outcome = await act(place, form);
    if (outcome.kind === 'refused') return refuse(409, outcome.why);
    const params = new URLSearchParams({ did: outcome.did, count: String(outcome.count) });
    return redirect(`${placeAddress(place)}&${params.toString()}`);
  };
}

function isLoopback(address: string | undefined): boolean {
  const plain = address?.replace(/^::ffff:/, '') ?? '';
  return plain === '::1' || (isIP(plain) === 4 && plain.startsWith('127.'));
}

function isSame(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** One of the two halves of a queue. */
interface Place {
  readonly tenant: Tenant;
  readonly entity: QueueEntity;
  readonly isDead: boolean;
}

function findPlace(tenants: readonly Tenant[], asked: URLSearchParams): Place | undefined {
  const name = asked.get('namespace')?.toLowerCase();
  const tenant = tenants.find((one) => one.name.toLowerCase() === name);
  const entity = tenant?.namespace.find(asked.get('queue') ?? '');
  if (tenant === undefined || entity === undefined) return undefined;
  return { tenant, entity, isDead: asked.get('of') === 'dead-letters' };
}

function placeAddress({ tenant, entity, isDead }: Place): string {
  const params = new URLSearchParams({ namespace: tenant.name, queue: entity.stored.name });
  if (isDead) params.set('of', 'dead-letters');
  return `${PATH}/queue?${params.toString()}`;
}

type Outcome =
  | { readonly kind: 'done'; readonly did: keyof typeof DEEDS; readonly count: number }
  | { readonly kind: 'refused'; readonly why: string };

type Act = (place: Place, form: URLSearchParams) => Promise<Outcome>;

const DEEDS = {
  sent: 'The test message was sent.',
  resubmitted: 'Dead letters put back into the queue',
  purged: 'Dead letters thrown away',
} as const;

const ACTS: ReadonlyMap<string, Act> = new Map<string, Act>([
  ['/send', sendTest],
  ['/resubmit', resubmit],
  ['/purge', purge],
]);

/** A test message is as if a client had sent it, but for the faults of tests, which do not strike it. */
async function sendTest({ entity: { main } }: Place, form: URLSearchParams): Promise<Outcome> {
  // Forms send line breaks in two characters, whatever was typed.
  const body = Buffer.from((form.get('body') ?? '').replaceAll('\r\n', '\n'));
  if (body.length > BODY_BYTES_MAX) {
    const why = `A test message has ${BODY_BYTES_MAX} bytes at most, this one has ${body.length}`;
    return { kind: 'refused', why };
  }
  const disabled = refusalOfUse(main, 'send');
  if (disabled !== undefined) return { kind: 'refused', why: disabled.description };
  const message = readMessage(encodeTest(body, form.get('session') ?? ''));
  const outcome = await main.send([withMessageId(message)]);
  if (outcome.kind === 'accepted') return { kind: 'done', did: 'sent', count: 1 };
  return { kind: 'refused', why: sendRefusal(main.name, outcome).description };
}

/** How many fields stand before the group id in the properties, which is the session. */
const FIELDS_BEFORE_SESSION = 10;

function encodeTest(body: Buffer, sessionId: string): Buffer {
  const section = (code: number, value: Parameters<typeof encodeValues>[0][number]): Buffer =>
    Buffer.concat([Buffer.from([0x00, 0x53, code]), encodeValues([value])]);
  const properties = types.wrap_list([
    ...Array.from({ length: FIELDS_BEFORE_SESSION }, () => null),
    types.wrap_string(sessionId),
  ]);
  return Buffer.concat([
    ...(sessionId === '' ? [] : [section(SECTION.properties, properties)]),
    section(SECTION.data, types.wrap_binary(body)),
  ]);
}

async function resubmit({ entity: { main } }: Place): Promise<Outcome> {
  const disabled = refusalOfUse(main, 'send');
  if (disabled !== undefined) return { kind: 'refused', why: disabled.description };
  const outcome = await main.resubmitDeadLetters(DEAD_LETTERS_MAX);
  return outcome.kind === 'resubmitted'
    ? { kind: 'done', did: 'resubmitted', count: outcome.count }
    : { kind: 'refused', why: sendRefusal(main.name, outcome).description };
}

async function purge({ entity }: Place, form: URLSearchParams): Promise<Outcome> {
  if (form.get('sure') !== 'yes') {
    return {
      kind: 'refused',
      why: 'Nothing was thrown away: the box that confirms it was not ticked',
    };
  }
  const count = await entity.deadLetters.deleteBatch({
    enqueuedBeforeMs: Number.POSITIVE_INFINITY,
    messagesMax: DEAD_LETTERS_MAX,
    sessionId: undefined,
  });
  return { kind: 'done', did: 'purged', count };
}

interface Shown {
  readonly title: string;
  readonly content: Html;
}

const HTML_TYPE = 'text/html; charset=utf-8';

function show({ title, content }: Shown, status = 200): AdminResponse {
  return { status, contentType: HTML_TYPE, headers: PAGE_HEADERS, body: writePage(title, content) };
}

function refuse(status: number, why: string): AdminResponse {
  const content = html`<p role="alert">${why}.</p><p><a href="${PATH}">All queues</a></p>`;
  return show({ title: 'Not done', content }, status);
}

function redirect(location: string): AdminResponse {
  return { status: 303, contentType: HTML_TYPE, headers: { ...PAGE_HEADERS, location }, body: '' };
}

function queuesView(tenants: readonly Tenant[]): Shown {
  const all = tenants.flatMap((tenant) =>
    tenant.namespace.list().map((entity) => ({ tenant, entity, isDead: false })),
  );
  const rows = all.slice(0, QUEUES_MAX).map((place) => {
    const { tenant, entity } = place;
    const { active, scheduled, deferred, sizeBytes } = entity.main.counters();
    const dead = placeAddress({ ...place, isDead: true });
    return html`<tr><td>${tenant.name}</td><th scope="row"><a href="${placeAddress(place)}">${entity.stored.name}</a></th>
<td>${entity.stored.properties.status}</td><td class="number">${active}</td><td class="number">${scheduled}</td>
<td class="number">${deferred}</td><td class="number"><a href="${dead}">${entity.deadLetters.counters().active}</a></td>
<td class="number">${sizeBytes}</td></tr>
`;
  });
  const content = html`<p>What the Service Bus emulator of this machine keeps now. <a href="${PATH}">Look again</a></p>
<div class="scroll" tabindex="0" role="region" aria-label="Queues"><table><thead><tr><th scope="col">Namespace</th>
<th scope="col">Queue</th><th scope="col">Status</th><th scope="col" class="number">Active</th>
<th scope="col" class="number">Scheduled</th><th scope="col" class="number">Deferred</th>
<th scope="col" class="number">Dead letters</th><th scope="col" class="number">Bytes</th></tr></thead>
<tbody>${rows}</tbody></table></div>
<p>${all.length > QUEUES_MAX ? `The first ${QUEUES_MAX} of ${all.length} queues.` : `${all.length} in all.`}</p>`;
  return { title: 'Queues', content };
}

interface PageContext extends MessagePageOptions {
  readonly formToken: string;
}

async function queueAnswer(context: PageContext, asked: URLSearchParams): Promise<AdminResponse> {
  const place = findPlace(context.tenants, asked);
  if (place === undefined) return refuse(404, 'There is no such queue');
  const number = readNumber(asked.get('number'));
  const from = number ?? readNumber(asked.get('from')) ?? 1;
  const queue = place.isDead ? place.entity.deadLetters : place.entity.main;
  const messagesMax = number === undefined ? MESSAGES_MAX : 1;
  const peeked = await queue.peek({ fromSequenceNumber: from, messagesMax });
  const messages = peeked.filter((one) => number === undefined || one.sequenceNumber === number);
  return show(queueView({ place, messages, from, isOne: number !== undefined, asked, ...context }));
}

function readNumber(text: string | null): number | undefined {
  if (text === null || !/^\d{1,15}$/.test(text)) return undefined;
  return Number(text);
}

interface QueueViewFacts extends PageContext {
  readonly place: Place;
  readonly messages: readonly StoredMessage[];
  readonly from: number;
  /** One message was asked for, whole. */
  readonly isOne: boolean;
  readonly asked: URLSearchParams;
}

function queueView(facts: QueueViewFacts): Shown {
  const { place, messages, from, isOne, asked } = facts;
  const { entity, isDead } = place;
  const { active, scheduled, deferred } = entity.main.counters();
  const address = placeAddress(place);
  const last = messages.at(-1)?.sequenceNumber;
  const next =
    isOne || last === undefined
      ? html``
      : html`<p><a href="${`${address}&from=${last + 1}`}">Those behind number ${last}</a></p>`;
  const bytesMax = isOne ? BODY_BYTES_MAX : BODY_BYTES_LISTED;
  const content = html`${deedHtml(asked)}
<p><a href="${PATH}">All queues</a> · <a href="${placeAddress({ ...place, isDead: false })}">messages</a>: ${active} active, ${scheduled} scheduled, ${deferred} deferred ·
<a href="${placeAddress({ ...place, isDead: true })}">dead letters</a>: ${entity.deadLetters.counters().active}</p>
<h2>${isDead ? 'Dead letters' : 'Messages'}${from > 1 && !isOne ? ` from number ${from}` : ''}</h2>
<p>Looking takes nothing away, and no lock. At most ${MESSAGES_MAX} are shown at once. <a href="${address}">Look again</a></p>
${messages.length === 0 ? html`<p>None.</p>` : messages.map((one) => messageHtml(one, address, bytesMax))}${next}
${isDead ? deadFormsHtml(facts) : sendFormHtml(facts)}`;
  return { title: `Queue ${entity.stored.name} of ${place.tenant.name}`, content };
}

function deedHtml(asked: URLSearchParams): Html {
  const did = asked.get('did');
  const count = readNumber(asked.get('count')) ?? 0;
  if (did === 'sent') return html`<p role="status">${DEEDS.sent}</p>`;
  if (did !== 'resubmitted' && did !== 'purged') return html``;
  return html`<p role="status">${DEEDS[did]}: ${count}.</p>`;
}

function messageHtml(message: StoredMessage, address: string, bodyBytesMax: number): Html {
  const { sequenceNumber, state, enqueuedAtMs, dueAtMs, deliveryCount, sessionId } = message;
  const { messageId, properties, body } = describeMessage(message, bodyBytesMax);
  const due =
    dueAtMs === undefined
      ? ''
      : `, ${state === 'scheduled' ? 'for' : 'until'} ${dateText(dueAtMs)}`;
  const whole =
    body.isCut && bodyBytesMax < BODY_BYTES_MAX
      ? html` · <a href="${`${address}&number=${sequenceNumber}`}">more of number ${sequenceNumber}</a>`
      : html``;
  return html`<article aria-label="Number ${sequenceNumber}"><p><strong>${sequenceNumber}</strong> ${state}, enqueued ${dateText(enqueuedAtMs)}${due}, delivered ${deliveryCount} times</p>
<dl>${messageId === undefined ? html`` : html`<dt>Id</dt><dd><bdi>${messageId}</bdi></dd>`}${
    sessionId === undefined ? html`` : html`<dt>Session</dt><dd><bdi>${sessionId}</bdi></dd>`
  }${properties.map(([name, value]) => html`<dt><bdi>${name}</bdi></dt><dd><bdi>${value}</bdi></dd>`)}</dl>
<p>${body.bytes} bytes of body, ${body.form}${body.isCut ? ', of which the beginning is shown' : ''}${whole}</p><pre><bdi>${body.text}</bdi></pre></article>
`;
}

/** A time that a client chose may be none that a calendar has. */
function dateText(timeMs: number): string {
  const date = new Date(timeMs);
  return Number.isNaN(date.getTime()) ? 'a time beyond every calendar' : date.toISOString();
}

function hiddenHtml({ place, formToken }: QueueViewFacts): Html {
  const { tenant, entity, isDead } = place;
  return html`<input type="hidden" name="formToken" value="${formToken}"><input type="hidden" name="namespace" value="${tenant.name}">
<input type="hidden" name="queue" value="${entity.stored.name}"><input type="hidden" name="of" value="${isDead ? 'dead-letters' : 'queue'}">`;
}

function sendFormHtml(facts: QueueViewFacts): Html {
  const { requiresSession } = facts.place.entity.stored.properties;
  const session = html`<label for="session">Session</label><input type="text" id="session" name="session" required maxlength="128">`;
  return html`<h2>Send a test message</h2><form method="post" action="${PATH}/send">${hiddenHtml(facts)}
<label for="body">Body, ${BODY_BYTES_MAX} bytes at most</label><textarea id="body" name="body" rows="5"></textarea>
${requiresSession ? session : html``}<p><button>Send</button></p></form>`;
}

function deadFormsHtml(facts: QueueViewFacts): Html {
  const { name } = facts.place.entity.stored;
  return html`<h2>Put back</h2><form method="post" action="${PATH}/resubmit">${hiddenHtml(facts)}
<p>The oldest ${DEAD_LETTERS_MAX} at most go to the end of ${name}, as they are. <button>Put back</button></p></form>
<h2>Throw away</h2><form method="post" action="${PATH}/purge">${hiddenHtml(facts)}
<p><input type="checkbox" id="sure" name="sure" value="yes" required> <label class="inline" for="sure">The oldest ${DEAD_LETTERS_MAX} dead letters of ${name} at most are gone for ever.</label></p>
<p><button>Throw away</button></p></form>`;
}
