import type { Hub } from '../../hub/hub.ts';
import { createError } from '../../protocol/errors.ts';
import { type PortOptions, type StreamRecord, StoredStreams, type Writer } from './stored-streams.ts';

interface Lease {
  readonly token: string;
}

/** The `ResumableStreamStore` of `assistant-stream/resumable`, which assistant-ui's servers use. */
export interface AssistantUiStore {
  acquire(streamId: string, options?: { readonly ttlMs?: number }): Promise<'producer' | 'consumer'>;
  acquireLease(
    streamId: string,
    options?: { readonly ttlMs?: number },
  ): Promise<{ readonly role: 'producer'; readonly lease: Lease } | { readonly role: 'consumer' }>;
  append(streamId: string, chunk: Uint8Array, lease?: Lease): Promise<void>;
  finalize(streamId: string, status: 'done' | 'error', error?: string, lease?: Lease): Promise<boolean>;
  read(
    streamId: string,
    cursor: string,
    signal: AbortSignal,
  ): AsyncIterable<{ readonly cursor: string; readonly chunk: Uint8Array }>;
  status(streamId: string): Promise<StreamRecord['status'] | 'missing'>;
  delete(streamId: string): Promise<void>;
}

/**
 * Stores the streams of assistant-ui on the hub's log. Readers get chunks as they come, without polling, and an error if the
 * process that writes a stream dies: then its name is free for another try.
 *
 * @throws {TidingsError} `hub/invalid-option`.
 */
export function assistantUiStore(hub: Hub, options: PortOptions = {}): AssistantUiStore {
  const streams = new StoredStreams(hub, options);
  /** The streams that this process writes, by token; and the newest writer of each stream. */
  const writers = new Map<string, Writer>();
  const newest = new Map<string, Writer>();

  function writerOf(streamId: string, lease: Lease | undefined): Writer | undefined {
    return lease === undefined ? newest.get(streamId) : writers.get(lease.token);
  }

  function forget(streamId: string, writer: Writer): void {
    writers.delete(writer.token);
    if (newest.get(streamId) === writer) newest.delete(streamId);
  }

  const store: AssistantUiStore = {
    async acquire(streamId, given) {
      return (await store.acquireLease(streamId, given)).role;
    },
    async acquireLease(streamId, given) {
      const writer = await streams.begin(streamId, { keep: given?.ttlMs ?? streams.keep });
      if (writer === undefined) return { role: 'consumer' };
      writers.set(writer.token, writer);
      newest.set(streamId, writer);
      return { role: 'producer', lease: { token: writer.token } };
    },
    async append(streamId, chunk, lease) {
      const writer = writerOf(streamId, lease);
      if (writer === undefined) throw notWritten(streamId);
      await writer.append([toBase64(chunk)]);
    },
    async finalize(streamId, status, error, lease) {
      const writer = writerOf(streamId, lease);
      if (writer === undefined) return false;
      try {
        return await writer.end(status, status === 'error' ? (error ?? 'Stream errored') : undefined);
      } finally {
        forget(streamId, writer);
      }
    },
    async *read(streamId, cursor, signal) {
      const reading = streams.read(streamId, cursor === '' ? 0 : Number(cursor), signal);
      for (;;) {
        const { done, value } = await reading.next();
        if (done === true) {
          if (value?.status === 'error') throw new Error(value.error);
          if (value === undefined && !signal.aborted) throw lost(streamId);
          return;
        }
        for (const [i, chunk] of value.chunks.entries())
          yield { cursor: String(value.from + i + 1), chunk: fromBase64(chunk) };
      }
    },
    status: async (streamId) => (await streams.find(streamId))?.status ?? 'missing',
    async delete(streamId) {
      const writer = newest.get(streamId);
      if (writer !== undefined) forget(streamId, writer);
      await streams.remove(streamId);
    },
  };
  return store;
}

function notWritten(streamId: string): unknown {
  return createError('event/conflict', `This process doesn't write the stream ${JSON.stringify(streamId)}.`);
}

function lost(streamId: string): unknown {
  return createError('run/lost', `The stream ${JSON.stringify(streamId)} isn't there, or its process died.`);
}

function toBase64(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return btoa(text);
}

function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
