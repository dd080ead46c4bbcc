import { GAP, GOODBYE, LABEL, type Gap, WELCOME } from '../../protocol/control.ts';
import { createDecoder, type DecodedEvent } from '../../protocol/decode.ts';
import { encodeFrame } from '../../protocol/encode.ts';
import { readNotice } from '../../protocol/notice.ts';
import { type Matcher, matcherKey } from '../../protocol/matcher.ts';

/** A response, whatever the `fetch` in use makes of it. */
export interface Answer {
  readonly status: number;
  readonly headers: {
    get(name: string): string | null;
    forEach(task: (value: string, name: string) => void): void;
  };
  readonly body: unknown;
  readonly url?: string;
  readonly redirected?: boolean;
}

export interface Bytes {
  read(): Promise<{ readonly done?: boolean | undefined; readonly value?: Uint8Array }>;
  cancel(): void;
}

/** The first frame of a hub's labelled stream, read. */
export interface Introduction {
  readonly connection: string;
  readonly heartbeat: number | undefined;
  readonly audience: string;
  readonly gaps: readonly Gap[];
}

export interface AnswerHandlers {
  /** The first frame. `introduction`: undefined if no hub speaks, or one that has no such streams. @returns false to stop. */
  first(introduction: Introduction | undefined, event: DecodedEvent | undefined): boolean;
  /** `own`: the event has a cursor of its own. `labelled`: it came by one of the topics. */
  event(event: DecodedEvent, own: boolean, labelled: boolean): void;
  position(id: string): void;
  retry(delay: number): void;
  /** Called after each chunk. While the promise is pending, nothing is read. */
  idle(): Promise<void> | undefined;
}

/** @returns the cursor at which the answer is complete; undefined if it was cut off. @throws what reading throws. */
export async function readAnswer(
  bytes: Bytes,
  asked: readonly Matcher[],
  after: string,
  maxEventBytes: number,
  handlers: AnswerHandlers,
): Promise<string | undefined> {
  const items: (() => void)[] = [];
  let id = after;
  let begun = false;
  let stopped = false;
  let labelled = false;
  let complete = false;

  function receive(event: DecodedEvent): void {
    const own = event.id !== id;
    ({ id } = event);
    if (!begun) {
      begun = true;
      stopped = !handlers.first(introductionOf(event, asked), event);
      return;
    }
    if (event.type === LABEL) labelled = readNotice(event.data).topics.length > 0;
    else if (event.type === GOODBYE && readNotice(event.data).reason === 'wait') complete = true;
    else handlers.event(event, own, labelled);
  }

  const decoder = createDecoder({
    onEvent: (event) => items.push(() => receive(event)),
    onId: (to) =>
      items.push(() => {
        id = to;
        handlers.position(to);
      }),
    onRetry: (delay) => items.push(() => handlers.retry(delay)),
    lastEventId: after,
    maxEventBytes,
  });
  while (!stopped && !complete) {
    const { done, value } = await bytes.read();
    if (done === true || value === undefined) break;
    decoder.feed(value);
    for (const item of items.splice(0)) if (!stopped) item();
    const busy = handlers.idle();
    if (busy !== undefined) await busy;
  }
  if (!begun && !stopped) handlers.first(undefined, undefined);
  bytes.cancel();
  return complete && id !== '' ? id : undefined;
}

/** As a frame for the client's stream. */
export function frameOf(
  { type, data, id }: Pick<DecodedEvent, 'type' | 'data' | 'id'>,
  own: boolean,
): string {
  return encodeFrame({ ...(own && { id }), ...(type !== 'message' && { type }), data });
}

export function gapFrame(gaps: readonly Gap[], id: string): string {
  return encodeFrame({ id, type: GAP, data: JSON.stringify({ gaps }) });
}

/** Nothing, unless a hub says that its stream is for what was asked and who may share it. */
function introductionOf({ type, data }: DecodedEvent, asked: readonly Matcher[]): Introduction | undefined {
  if (type !== WELCOME) return undefined;
  const { connection = '', heartbeat, audience, topics, gaps } = readNotice(data);
  if (audience === undefined) return undefined;
  if (asked.length > 0 && !areSame(asked, topics)) return undefined;
  return { connection, heartbeat, audience, gaps };
}

/** Events of a topic that the app adds to those asked for would be for no tab. */
function areSame(asked: readonly Matcher[], got: readonly Matcher[]): boolean {
  const keys = new Set(asked.map(matcherKey));
  const gotKeys = new Set(got.map(matcherKey));
  return keys.size === gotKeys.size && [...keys].every((key) => gotKeys.has(key));
}
