import { setTimeout as sleep } from 'node:timers/promises';
import express, { type Express, type Response } from 'express';
import * as z from 'zod';
import { answerTo, tokensOf } from './answer.ts';
import { type Manner, MODELS } from './models.ts';

const part = z.object({ type: z.string(), text: z.string().optional() });
const request = z.object({
  model: z.string(),
  stream: z.boolean().optional(),
  messages: z
    .array(z.object({ role: z.string(), content: z.union([z.string(), z.array(part), z.null()]).optional() }))
    .min(1)
    .max(1000),
});

/** Counts of one model. */
export interface ModelStats {
  /** Answers begun, and those whose client left before the end. */
  readonly begun: number;
  readonly left: number;
}

/** An endpoint in the style of OpenAI's: `/v1/models` and `/v1/chat/completions`. */
export function createModel(): { readonly app: Express; readonly stats: () => Record<string, ModelStats> } {
  const stats = new Map(MODELS.map(({ id }) => [id, { begun: 0, left: 0 }]));
  let completions = 0;
  const app = express()
    .disable('x-powered-by')
    .use(express.json({ limit: '2mb' }));

  app.get('/v1/models', (_req, res) => {
    res.json({
      object: 'list',
      data: MODELS.map(({ id }) => ({ id, object: 'model', owned_by: 'tidings' })),
    });
  });

  app.post('/v1/chat/completions', async (req, res) => {
    const parsed = request.safeParse(req.body);
    if (!parsed.success) return refuse(res, 400, z.prettifyError(parsed.error));
    const { model, stream = false, messages } = parsed.data;
    const manner = MODELS.find(({ id }) => id === model);
    const own = stats.get(model);
    if (manner === undefined || own === undefined) return refuse(res, 404, `There is no model "${model}".`);
    const answer = answerTo(messages.map(({ role, content }) => ({ role, content: textOf(content) })));
    const gone = new AbortController();
    res.on('close', () => {
      if (!res.writableEnded && res.locals['isBroken'] !== true) own.left += 1;
      gone.abort();
    });
    own.begun += 1;
    completions += 1;
    const head = { id: `chatcmpl-${completions}`, created: Math.floor(Date.now() / 1000), model };
    const tokens = tokensOf(answer);
    const usage = { prompt_tokens: 0, completion_tokens: tokens.length, total_tokens: tokens.length };
    if (!stream) {
      const message = { role: 'assistant', content: answer };
      return res.json({
        ...head,
        object: 'chat.completion',
        choices: [{ index: 0, message, finish_reason: 'stop' }],
        usage,
      });
    }
    await write(res, head, tokens, manner, gone.signal).catch((error: unknown) => {
      // The client left.
      if (!gone.signal.aborted) throw error;
    });
  });

  return { app, stats: () => structuredClone(Object.fromEntries(stats)) };
}

async function write(
  res: Response,
  head: object,
  tokens: readonly string[],
  { speed, thinks, fails }: Manner,
  signal: AbortSignal,
): Promise<void> {
  const send = (delta: object, reason: string | null = null): void => {
    const choices = [{ index: 0, delta, finish_reason: reason }];
    res.write(`data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', choices })}\n\n`);
  };
  res.set({ 'content-type': 'text/event-stream', 'cache-control': 'no-store' }).flushHeaders();
  if (fails === 'silent') await sleep(3_600_000, undefined, { signal });
  await sleep(thinks, undefined, { signal });
  send({ role: 'assistant', content: '' });
  const end = fails === 'halfway' ? Math.ceil(tokens.length / 2) : tokens.length;
  let due = performance.now();
  for (const token of tokens.slice(0, end)) {
    send({ content: token });
    due += 1000 / speed;
    const wait = due - performance.now();
    if (wait > 1) await sleep(wait, undefined, { signal });
  }
  // Without a word, as when a provider's machine goes away.
  if (fails === 'halfway') {
    res.locals['isBroken'] = true;
    res.destroy();
    return;
  }
  send({}, 'stop');
  res.end('data: [DONE]\n\n');
}

function refuse(res: Response, status: number, message: string): void {
  res.status(status).json({ error: { message, type: 'invalid_request_error', param: null, code: null } });
}

function textOf(content: string | readonly z.infer<typeof part>[] | null | undefined): string {
  return typeof content === 'string' ? content : (content ?? []).map(({ text = '' }) => text).join('');
}
