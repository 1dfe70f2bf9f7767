/** Bounds what the bodies of all requests together hold in memory, whoever sends them and however slowly. */
import { TableError } from '@tandem/table-protocol';

/** As the service has it, for transactions and single rows alike. */
export const BODY_BYTES_MAX = 4 * 1_024 * 1_024;
/** What is too large is read to its end, and thrown away, so that its sender hears the answer. */
const DISCARDED_BYTES_MAX = 64 * 1_024 * 1_024;

export interface RequestBodies {
  /** Counts those that are held, in bytes. */
  readonly heldBytes: number;
  /** What they may hold together, in bytes. */
  readonly bytesMax: number;
  /** To be asked once for each request, and released when it was answered. */
  open(): RequestBody;
}

export interface RequestBody {
  /**
   * Reads it to its end. Throws `ServerBusy` where there is no room for it beside those of other requests,
   * `RequestBodyTooLarge` for more than a request may have, and `InvalidInput` for what is no UTF-8.
   */
  read(payload: AsyncIterable<Uint8Array>, announcedBytes: number | undefined): Promise<string>;
  release(): void;
}

export function createRequestBodies(bytesMax: number): RequestBodies {
  let heldBytes = 0;
  return {
    bytesMax,
    get heldBytes() {
      return heldBytes;
    },
    open() {
      let own = 0;
      const hold = (bytes: number): boolean => {
        if (bytes <= own) return true;
        if (heldBytes - own + bytes > bytesMax) return false;
        heldBytes += bytes - own;
        own = bytes;
        return true;
      };
      const release = (): void => {
        heldBytes -= own;
        own = 0;
      };
      return {
        release,
        async read(payload, announcedBytes = 0) {
          // Refused before it is sent, where its sender says how long it is.
          if (announcedBytes <= BODY_BYTES_MAX && !hold(announcedBytes)) throw busy();
          const chunks: Uint8Array[] = [];
          let bytes = 0;
          let isHeld = true;
          for await (const chunk of untilGone(payload)) {
            bytes += chunk.length;
            if (bytes > DISCARDED_BYTES_MAX) break;
            isHeld &&= bytes <= BODY_BYTES_MAX && hold(bytes);
            if (isHeld) {
              chunks.push(chunk);
            } else {
              chunks.length = 0;
              release();
            }
          }
          if (bytes > BODY_BYTES_MAX) throw new TableError('RequestBodyTooLarge');
          if (!isHeld) throw busy();
          return textOf(chunks);
        },
      };
    },
  };
}

/** A sender who goes away is no failure of ours: nobody is there to hear of it. */
async function* untilGone(payload: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  try {
    yield* payload;
  } catch (error) {
    const { code } = error as { readonly code?: unknown };
    if (code !== 'ECONNRESET' && code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
    throw new TableError('InvalidInput', 'Its sender went away before all of it had come.');
  }
}

function busy(): TableError {
  return new TableError('ServerBusy');
}

/** It takes a byte order mark away, which some editors and tools put before what they send. */
const decoder = new TextDecoder('utf-8', { fatal: true });

function textOf(chunks: readonly Uint8Array[]): string {
  try {
    return decoder.decode(Buffer.concat(chunks));
  } catch {
    throw new TableError('InvalidInput', 'The body is no UTF-8.');
  }
}
