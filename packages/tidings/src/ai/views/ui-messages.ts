import { encodeFrame } from '../../protocol/encode.ts';
import { STREAM_HEADERS } from '../../http/stream-headers.ts';
import { COMMENT, type RunFacts, type View, formatRunCursor } from '../view.ts';

/**
 * The UI message stream of the AI SDK, versions 5 and 6, which `useChat` reads
 * (https://ai-sdk.dev/docs/ai-sdk-ui/stream-protocol). The chunks are those of `toUIMessageStream()`.
 *
 * The stream begins with `start` and the run's own message id, however often it is read. Nothing is sent that the SDK's
 * validator doesn't know: it refuses unknown types and fields.
 */
export const uiMessages: View = {
  headers: { ...STREAM_HEADERS, 'x-vercel-ai-ui-message-stream': 'v1' },
  heartbeat: COMMENT,
  chunk(chunk, position, run) {
    const id = formatRunCursor({ id: run.id, after: position + 1 });
    if (position > 0) return encodeFrame({ id, data: JSON.stringify(chunk) });
    if (typeOf(chunk) === 'start') {
      return encodeFrame({ id, data: JSON.stringify({ ...(chunk as object), messageId: run.messageId }) });
    }
    return startOf(run) + encodeFrame({ id, data: JSON.stringify(chunk) });
  },
  end({ status, error }, run, last, count) {
    const start = count === 0 ? startOf(run) : '';
    const end =
      typeOf(last) === 'finish' ? '' : encodeFrame({ data: JSON.stringify(endOf(status, error?.text)) });
    // The cursor also goes to clients that read ids, so they know that they have everything.
    const id = formatRunCursor({ id: run.id, after: Infinity });
    return `${start}${end}${encodeFrame({ id, data: '[DONE]' })}`;
  },
};

function startOf({ messageId }: RunFacts): string {
  return encodeFrame({ data: JSON.stringify({ type: 'start', messageId }) });
}

function endOf(status: string, text: string | undefined): object {
  if (status === 'done') return { type: 'finish' };
  if (status === 'failed' || status === 'lost')
    return { type: 'error', errorText: text ?? 'The answer failed.' };
  return { type: 'abort' };
}

function typeOf(chunk: unknown): unknown {
  return (chunk as { type?: unknown } | null | undefined)?.type;
}
