/**
 * Writing the event stream format:
 * https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
 *
 * A frame is text here; the sender encodes it as UTF-8 once and shares the bytes.
 */

export interface FrameFields {
  /** Milliseconds. */
  readonly retry?: number;
  /** A cursor's text: checked where it is made, so not here. */
  readonly id?: string;
  /** Checked by `checkType`, so not here. */
  readonly type?: string | undefined;
  readonly data?: string;
}

/** The standard ends a line at CRLF, at CR and at LF; data with any of them becomes several `data:` lines. */
const LINE_END = /\r\n|\r|\n/;

export function encodeFrame(fields: FrameFields): string {
  let frame = '';
  if (fields.retry !== undefined) frame += `retry: ${Math.round(fields.retry)}\n`;
  if (fields.id !== undefined) frame += `id: ${fields.id}\n`;
  if (fields.type !== undefined) frame += `event: ${fields.type}\n`;
  if (fields.data !== undefined) frame += encodeLines(fields.data);
  return `${frame}\n`;
}

function encodeLines(data: string): string {
  // JSON has no raw line ends, so nearly all data is a single line.
  if (!data.includes('\n') && !data.includes('\r')) return `data: ${data}\n`;
  let lines = '';
  for (const line of data.split(LINE_END)) lines += `data: ${line}\n`;
  return lines;
}
