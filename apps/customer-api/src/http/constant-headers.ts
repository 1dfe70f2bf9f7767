import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { FastifyReply } from 'fastify';

/** Headers that are the same on every answer of a server. */
export interface ConstantHeaders {
  /** Is given to Node for the answers of the server, which bear the headers then. */
  readonly ServerResponse: typeof ServerResponse;
  /** Sets them on an answer that does not bear them by itself, such as one of `app.inject`. */
  setOn(reply: FastifyReply): void;
}

/**
 * Has the headers written as one text. Set one by one, some twenty are copied, checked and put together anew for
 * each answer. Node takes no text, so it is added to the head that Node has put together; where a version of
 * Node keeps that elsewhere, which is tried out here, they are set one by one.
 *
 * No answer may set any of them itself: it would have it twice.
 */
export function createConstantHeaders(headers: Readonly<Record<string, string>>): ConstantHeaders {
  const entries = Object.entries(headers);
  // Node checks them: they stand in every answer as they are.
  const checked = new Headers(entries);
  const text = entries.map(([name]) => `${name}: ${checked.get(name)}\r\n`).join('');

  class HeadedResponse<
    Request extends IncomingMessage = IncomingMessage,
  > extends ServerResponse<Request> {
    override writeHead(status: number, ...rest: unknown[]): this {
      super.writeHead(...([status, ...rest] as [number]));
      const head = headOf(this);
      if (head?.endsWith(END) === true)
        setHead(this, head.slice(0, -EMPTY_LINE.length) + text + EMPTY_LINE);
      return this;
    }
  }

  const probe = new HeadedResponse(new IncomingMessage(new Socket()));
  probe.writeHead(200);
  const isWritten = headOf(probe)?.includes(text) === true;
  return {
    ServerResponse: isWritten ? HeadedResponse : ServerResponse,
    setOn(reply) {
      if (!isWritten || !(reply.raw instanceof HeadedResponse)) reply.headers(headers);
    },
  };
}

const EMPTY_LINE = '\r\n';
/** Of a head: the last header's, and an empty line. */
const END = '\r\n\r\n';

interface WithHead {
  _header?: string | null;
}

function headOf(response: ServerResponse): string | null | undefined {
  return (response as unknown as WithHead)._header;
}

function setHead(response: ServerResponse, head: string): void {
  (response as unknown as WithHead)._header = head;
}
