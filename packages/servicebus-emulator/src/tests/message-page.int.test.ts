import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createEmulator } from '../create-emulator.ts';
import { createMessagePage } from '../page/message-page.ts';
import {
  receiveExactly,
  receiveOne,
  type SdkHarness,
  startSdkHarness,
} from '../testing/sdk-harness.ts';

let sdk: SdkHarness;
beforeEach(async () => {
  sdk = await startSdkHarness({
    queues: ['q', 'orders/new', { name: 's', requiresSession: true }],
    namespaces: [{ name: 'other', queues: ['q'] }],
  });
});
afterEach(async () => {
  await sdk.close();
  expect(sdk.failures).toEqual([]);
});

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
}

interface Asked {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
  readonly port?: number;
}

/** With exactly these headers, which fetch would not send. */
async function ask(
  path: string,
  { method = 'GET', headers = {}, body, port }: Asked = {},
): Promise<Answer> {
  const at = { host: '127.0.0.1', port: port ?? sdk.emulator.adminPort };
  const outgoing = request({ ...at, method, path, headers });
  outgoing.end(body);
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString('utf8');
  return { status: response.statusCode ?? 0, headers: response.headers, text };
}

const pageOf = (queue: string, more = ''): string =>
  `/$messages/queue?namespace=emulator&queue=${encodeURIComponent(queue)}${more}`;
const tokenOf = ({ text }: Answer): string =>
  /name="formToken" value="([^"]+)"/.exec(text)?.[1] ?? '';

/** As a browser sends a form of the page. */
async function press(
  act: string,
  fields: Record<string, string>,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const formToken = tokenOf(await ask(pageOf('q')));
  const all = { formToken, namespace: 'emulator', queue: 'q', of: 'dead-letters', ...fields };
  const origin = `http://127.0.0.1:${sdk.emulator.adminPort}`;
  return ask(`/$messages/${act}`, {
    method: 'POST',
    headers: { origin, 'sec-fetch-site': 'same-origin', ...headers },
    body: new URLSearchParams(all).toString(),
  });
}

async function deadLetter(count: number): Promise<void> {
  const sender = sdk.client.createSender('q');
  await sender.sendMessages(
    Array.from({ length: count }, (_, index) => ({ body: `dead ${index}` })),
  );
  const receiver = sdk.client.createReceiver('q');
  for (const message of await receiveExactly(receiver, count)) {
    await receiver.deadLetterMessage(message, {
      deadLetterReason: 'WHY<b>',
      deadLetterErrorDescription: 'because',
    });
  }
  await receiver.close();
}

describe('the page of messages', () => {
  it('shows every queue of every namespace with its counts', async () => {
    await deadLetter(2);
    const later = new Date(Date.now() + 3_600_000);
    await sdk.client.createSender('q').sendMessages([{ body: 1 }, { body: 2 }, { body: 3 }]);
    await sdk.client.createSender('q').scheduleMessages({ body: 4 }, later);
    const { status, text } = await ask('/$messages');
    expect(status).toBe(200);
    const row =
      /<tr><td>emulator<\/td><th scope="row"><a [^>]*>q<\/a>.*?<\/tr>/s.exec(text)?.[0] ?? '';
    const counts = [...row.matchAll(/class="number">(?:<a [^>]*>)?(\d+)/g)].map(
      ([, count]) => count,
    );
    expect(counts.slice(0, 4)).toEqual(['3', '1', '0', '2']);
    expect(text).toContain('<td>other</td>');
    expect(text).toContain('queue=orders%2Fnew');
  });

  it('shows messages and dead letters, and takes neither', async () => {
    await deadLetter(1);
    await sdk.client.createSender('q').sendMessages({
      body: { a: 1 },
      messageId: 'm-1',
      applicationProperties: { 'tandem-<i>': 'x', big: 'y'.repeat(5_000) },
    });
    const live = (await ask(pageOf('q'))).text;
    expect(live).toContain('{&quot;a&quot;:1}');
    expect(live).toContain('m-1');
    expect(live).toContain('tandem-&lt;i&gt;');
    expect(live).not.toContain('y'.repeat(600));
    const dead = (await ask(pageOf('q', '&of=dead-letters'))).text;
    expect(dead).toContain('WHY&lt;b&gt;');
    expect(dead).toContain('dead 0');
    expect((await receiveOne(sdk.client.createReceiver('q'))).messageId).toBe('m-1');
    const receiver = sdk.client.createReceiver('q', { subQueueType: 'deadLetter' });
    expect((await receiveOne(receiver)).body).toBe('dead 0');
  });

  it('shows markup, turned text, control characters and 64 KiB as text, the beginning first', async () => {
    const hostile = `<script>alert(1)</script></bdi>\u202E"'\u0000\u001b[2J`;
    const long = hostile + 'ü'.repeat(32_700);
    await sdk.client
      .createSender('q')
      .sendMessages([{ body: long }, { body: Buffer.from([0xff, 0xfe]) }]);
    const list = (await ask(pageOf('q'))).text;
    expect(list).toContain('&lt;script&gt;alert(1)&lt;/script&gt;&lt;/bdi&gt;');
    expect(list).toContain('\\u202e');
    for (const raw of ['\u202e', '\u0000', '\u001b', '<script']) expect(list).not.toContain(raw);
    expect(list.length).toBeLessThan(20_000);
    expect(list).toContain('bytes in hex');
    expect(list).toContain('fffe');
    const one = (await ask(pageOf('q', '&number=1'))).text;
    expect(one.split('ü')).toHaveLength(32_701);
    expect(one).not.toContain('fffe');
  });

  it('shows so many messages, and those behind them', async () => {
    const bodies = Array.from({ length: 45 }, (_, index) => ({ body: `body-${index};` }));
    await sdk.client.createSender('q').sendMessages(bodies);
    const first = (await ask(pageOf('q'))).text;
    expect(first.match(/<article/g)).toHaveLength(20);
    const next = /href="([^"]*from=21)"/.exec(first)?.[1]?.replaceAll('&amp;', '&') ?? '';
    const second = (await ask(next)).text;
    expect(second).toContain('body-39;');
    expect(second).not.toContain('body-19;');
  });

  it('sends a test message, into a session where the queue has them', async () => {
    const sent = await press('send', { body: 'line 1\r\n<b>' });
    expect(sent.status).toBe(303);
    expect((await ask(sent.headers.location ?? '')).text).toContain('The test message was sent.');
    const received = await receiveOne(sdk.client.createReceiver('q'));
    expect(Buffer.isBuffer(received.body) ? String(received.body) : received.body).toBe(
      'line 1\n<b>',
    );
    expect((await press('send', { queue: 's', body: 'x' })).status).toBe(409);
    expect((await press('send', { queue: 's', body: 'x', session: 'one' })).status).toBe(303);
    const session = await sdk.client.acceptSession('s', 'one');
    expect(String((await receiveExactly(session, 1))[0]?.body)).toBe('x');
  });

  it('refuses a test message that is too long, and one for a queue that takes none', async () => {
    expect((await press('send', { body: 'ü'.repeat(32 * 1024) })).status).toBe(303);
    const long = await press('send', { body: `${'ü'.repeat(32 * 1024)}x` });
    expect(long.status).toBe(409);
    expect(long.text).toContain('65536 bytes at most, this one has 65537');
    expect((await press('send', { body: 'x'.repeat(300_000) })).status).toBe(413);
    await sdk.admin.updateQueue({ ...(await sdk.admin.getQueue('q')), status: 'SendDisabled' });
    expect((await press('send', { body: 'x' })).status).toBe(409);
    expect((await press('resubmit', {})).status).toBe(409);
    expect((await press('send', { queue: 'absent' })).status).toBe(404);
  });

  it('puts dead letters back, a bounded number at once, with a new count of deliveries', async () => {
    await deadLetter(101);
    const { headers } = await press('resubmit', {});
    expect((await ask(headers.location ?? '')).text).toContain('put back into the queue: 100.');
    const { headers: then } = await press('resubmit', {});
    expect((await ask(then.location ?? '')).text).toContain('put back into the queue: 1.');
    const back = await receiveExactly(sdk.client.createReceiver('q'), 101);
    expect(new Set(back.map(({ body }) => String(body))).size).toBe(101);
    expect(back[0]?.deliveryCount).toBe(0);
    expect(back[0]?.deadLetterReason).toBe('WHY<b>');
    expect((await ask(pageOf('q', '&of=dead-letters'))).text).toContain('<p>None.</p>');
  });

  it('leaves a dead letter to whoever holds it', async () => {
    await deadLetter(1);
    const receiver = sdk.client.createReceiver('q', { subQueueType: 'deadLetter' });
    const held = await receiveOne(receiver);
    expect((await press('resubmit', {})).headers.location).toContain('count=0');
    expect((await press('purge', { sure: 'yes' })).headers.location).toContain('count=0');
    await receiver.completeMessage(held);
  });

  it('throws dead letters away when that was confirmed', async () => {
    await deadLetter(2);
    expect((await press('purge', {})).status).toBe(409);
    expect((await ask(pageOf('q', '&of=dead-letters'))).text).toContain('dead 1');
    expect((await press('purge', { sure: 'yes' })).headers.location).toContain('count=2');
    expect((await ask(pageOf('q', '&of=dead-letters'))).text).toContain('<p>None.</p>');
  });
});

describe('G1: the page of messages', () => {
  it('has a policy that allows its own style and nothing else', async () => {
    const { headers, text } = await ask(pageOf('q'));
    const policy = String(headers['content-security-policy']);
    const style = /<style>(.*?)<\/style>/s.exec(text)?.[1] ?? '';
    const digest = createHash('sha256').update(style).digest('base64');
    expect(policy).toBe(
      `default-src 'none'; style-src 'sha256-${digest}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`,
    );
    expect(text).not.toMatch(/<script| style=|https?:\/\//);
    expect(headers['cache-control']).toBe('no-store');
  });

  it.each([
    [{ origin: 'http://evil.example' }],
    [{ origin: 'null' }],
    [{ 'sec-fetch-site': 'cross-site' }],
    [{ 'sec-fetch-site': 'same-site' }],
    [{ host: 'evil.example', origin: 'http://evil.example' }],
  ])('takes no form of another site: %j', async (headers) => {
    const answer = await press('send', { body: 'x' }, headers);
    expect(answer.status).toBe(403);
    expect((await ask(pageOf('q'))).text).toContain('<p>None.</p>');
  });

  it('takes no form without its token, or that names no page', async () => {
    expect((await press('send', { body: 'x', formToken: 'x' })).status).toBe(403);
    const body = new URLSearchParams({ namespace: 'emulator', queue: 'q', body: 'x' }).toString();
    expect((await ask('/$messages/send', { method: 'POST', body })).status).toBe(403);
    expect((await ask(pageOf('q'))).text).toContain('<p>None.</p>');
  });

  it.each([
    [{ host: 'evil.example' }],
    [{ origin: 'http://evil.example' }],
    [{ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'cors' }],
    [{ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' }],
  ])('is not read by another site: %j', async (headers) => {
    expect((await ask(pageOf('q'), { headers })).status).toBe(403);
  });

  it('opens from a link of another page, and by the names of this machine', async () => {
    const opened = {
      'sec-fetch-site': 'cross-site',
      'sec-fetch-mode': 'navigate',
      'sec-fetch-dest': 'document',
    };
    expect((await ask('/$messages', { headers: opened })).status).toBe(200);
    expect((await ask('/$messages', { headers: { host: 'localhost:1' } })).status).toBe(200);
  });

  it.each([
    '/$messages/absent',
    '/$messages/queue?namespace=emulator&queue=%00',
    '/$messages/queue',
  ])('says that there is nothing at %s', async (path) => {
    expect((await ask(path)).status).toBe(404);
  });

  it('is not there where tokens are verified', async () => {
    const sharedAccessKey = { name: 'k', key: 'secret' };
    const verified = await createEmulator({ sharedAccessKey, queues: ['q'] });
    expect((await ask('/$messages', { port: verified.adminPort })).status).toBe(403);
    await verified.close();
  });

  it('answers this machine alone', async () => {
    const page = createMessagePage({ tenants: [], allowedHosts: [], verifiesTokens: false });
    const from = async (remoteAddress: string | undefined): Promise<number> => {
      const message = { method: 'GET', url: '/$messages', headers: {}, socket: { remoteAddress } };
      return (await page(message as IncomingMessage, async () => undefined)).status;
    };
    for (const address of ['127.0.0.1', '::1', '::ffff:127.0.0.1', '127.8.8.8']) {
      expect(await from(address)).toBe(200);
    }
    for (const address of ['10.0.0.7', '::ffff:10.0.0.7', '2001:db8::1', '127.evil', undefined]) {
      expect(await from(address)).toBe(403);
    }
  });
});
