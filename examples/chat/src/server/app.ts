import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import express, { type ErrorRequestHandler, type Express } from 'express';
import { type Hub, TidingsError } from 'tidings';
import { type Runs, uiMessages } from 'tidings/ai';
import { sse } from 'tidings/express';
import * as z from 'zod';
import { type Me, type StoredMessage, topicOf } from '../shared/api.ts';
import type { Announcer } from './answers.ts';
import type { Chats } from './chats.ts';
import type { Answers } from './provider.ts';
import { personOf, recognize, refuseOtherSites } from './visitor.ts';

const PAGE = fileURLToPath(new URL('../page/', import.meta.url));
/** No inline scripts, nothing of other sites: an answer must not be able to load or send anything. */
const POLICY = "default-src 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'";

const message = z.object({
  id: z.string().min(1).max(100),
  role: z.enum(['user', 'assistant']),
  parts: z.array(z.looseObject({ type: z.string(), text: z.string().optional() })),
});
const post = z.object({
  id: z.uuid(),
  run: z.uuid(),
  messages: z.array(message).min(1),
  model: z.string(),
});
const QUESTION_LENGTH = 10_000;
/** How often to ask again whether the answer before is stored, and milliseconds between. */
const TRIES = 40;
const REST = 50;

export interface Parts {
  readonly hub: Hub;
  readonly runs: Runs;
  readonly chats: Chats;
  readonly answers: Answers;
  readonly announce: Announcer;
}

export function createApp({ hub, runs, chats, answers, announce }: Parts): Express {
  const app = express().disable('x-powered-by');
  app.use((_req, res, next) => {
    res.set({
      'content-security-policy': POLICY,
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
    });
    next();
  });
  app.use('/assets', express.static(`${PAGE}assets`, { immutable: true, maxAge: '1y' }));
  app.use(express.static(PAGE, { index: false, redirect: false }));
  app.use(recognize, refuseOtherSites);

  // The list of a person's chats, and which of them are being answered.
  app.use(
    '/events',
    sse(hub, { authorize: (req) => ({ subject: personOf(req), topics: [topicOf(personOf(req))] }) }),
  );

  app.get('/api/me', (req, res) => {
    res
      .set('cache-control', 'no-store')
      .json({ topic: topicOf(personOf(req)), models: answers.models } satisfies Me);
  });

  app.get('/api/chats/:chat', async (req, res) => {
    const joined = await chats.join(req.params.chat, personOf(req));
    if (joined !== undefined) announce(joined);
    res.set('cache-control', 'no-store').json(chats.page(req.params.chat));
  });

  async function hasEnded(chat: string): Promise<boolean> {
    const run = await runs.find(chat, chats.get(chat)?.run);
    return run?.status !== 'running';
  }

  app.post('/api/chat', express.json({ limit: '4mb' }), async (req, res) => {
    const { id: chat, run: id, messages, model } = post.parse(req.body);
    const question = questionOf(messages.findLast(({ role }) => role === 'user'));
    if (!answers.models.includes(model)) throw new Problem(400, `There is no model "${model}".`);
    const subject = personOf(req);
    const ask = () => chats.ask({ chat, person: subject, run: id, question, now: Date.now() });
    let asked = await ask();
    // Readers learn of an answer's end a moment before it is stored.
    for (let tries = 0; asked === undefined && tries < TRIES && (await hasEnded(chat)); tries += 1) {
      await sleep(REST);
      asked = await ask();
    }
    if (asked === undefined) throw new Problem(409, 'This chat is being answered already.');
    announce(asked.chat);
    const run = await runs
      .start({ chat, id, subject }, (signal) =>
        answers.stream({ model, messages: asked.messages, run: id }, signal),
      )
      .catch(async (error: unknown) => {
        const nothing = { id: '', role: 'assistant', parts: [] } as const;
        const failed = await chats.finish(chat, id, 'failed', nothing, Date.now());
        if (failed !== undefined) announce(failed);
        throw error;
      });
    await run.pipe(req, res, uiMessages);
  });
  app.get('/api/chat/:chat/stream', runs.follow(uiMessages));
  app.post('/api/chat/:chat/stop', runs.stop());

  app.get(['/', '/c/:chat'], (_req, res) => res.sendFile('index.html', { root: PAGE }));
  app.use((_req, res) => void res.status(404).json({ title: 'Not Found' }));
  app.use(toProblem);
  return app;
}

class Problem extends Error {
  readonly status: number;

  constructor(status: number, detail: string) {
    super(detail);
    this.status = status;
  }
}

const toProblem: ErrorRequestHandler = (error: unknown, _req, res, next) => {
  if (res.headersSent) return next(error);
  const [status, detail] = answerFor(error);
  if (status === 500) console.error('chat:', error);
  res.status(status).json({ detail });
};

function answerFor(error: unknown): [status: number, detail: string] {
  if (error instanceof z.ZodError) return [400, z.prettifyError(error)];
  if (error instanceof Problem) return [error.status, error.message];
  if (error instanceof TidingsError && error.status !== undefined) return [error.status, error.message];
  // Express's own, such as a body that is too large or no JSON.
  const { status, expose, message: text } = error as { status?: number; expose?: boolean; message?: string };
  return status !== undefined && expose === true ? [status, String(text)] : [500, 'The server failed.'];
}

function questionOf(last: z.infer<typeof message> | undefined): StoredMessage {
  const text = (last?.parts ?? []).map((part) => (part.type === 'text' ? (part.text ?? '') : '')).join('');
  if (last?.role !== 'user' || text.trim() === '' || text.length > QUESTION_LENGTH)
    throw new Problem(400, `A question has 1 to ${QUESTION_LENGTH} characters.`);
  return { id: last.id, role: 'user', parts: [{ type: 'text', text }], metadata: { at: Date.now() } };
}
