/** The token of this tab. It is forgotten when the tab is closed, and never in the URL. */
const KEY = 'tidings:admin-token';

/** A refusal, or no answer at all (status 0). */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export interface Topic {
  readonly topic?: string;
  readonly pattern?: string;
  readonly connections: number;
}

export interface Connection {
  readonly id: string;
  readonly subject?: string;
  readonly remote?: string;
  readonly userAgent?: string;
  readonly topics: readonly (string | { readonly pattern: string })[];
  readonly topicCount: number;
  readonly phase: string;
  readonly lag: number;
  readonly bytes: number;
  readonly connectedAt: number;
}

export interface NodeStats {
  readonly connections: number;
  readonly behind: number;
  readonly inProcess: number;
  readonly topics: number;
  readonly published: number;
  readonly delivered: number;
  readonly bytes: number;
  readonly deliveryLag: { readonly p50: number; readonly p99: number };
  readonly tail: {
    readonly events: number;
    readonly bytes: number;
    readonly head: number;
    readonly epoch: string;
  };
}

type Counts = Readonly<Record<string, number>>;

export interface Stats extends NodeStats {
  readonly inProcessBehind: number;
  readonly connects: Counts;
  readonly ends: Counts;
  readonly gaps: Counts;
  readonly refused: Counts;
  readonly publishFailed: Counts;
  readonly log: { readonly events: number; readonly shared: boolean };
}

export interface ServerView {
  readonly version: string;
  readonly now: number;
  readonly startedAt: number;
  readonly phase: string;
  readonly development: boolean;
  readonly health: {
    readonly ready: boolean;
    readonly caughtUp: boolean;
    readonly log: { readonly up: boolean; readonly took: number };
  };
  readonly stats: Stats;
  readonly cluster: { readonly nodes: number; readonly connections: number };
}

export interface NodeView {
  readonly id: string;
  readonly name?: string;
  readonly startedAt: number;
  readonly renewedAt: number;
  readonly stats: NodeStats;
}

export interface WebhookView {
  readonly name: string;
  readonly url: string;
  readonly events: readonly string[];
  readonly topics: readonly string[];
  readonly active: boolean;
  readonly failingSince?: number;
  readonly lastFailure?: string;
}

export function tokenOf(storage: Storage = sessionStorage): string {
  return storage.getItem(KEY) ?? '';
}

export function keepToken(token: string, storage: Storage = sessionStorage): void {
  if (token === '') storage.removeItem(KEY);
  else storage.setItem(KEY, token);
}

/** Asks the admin API, which stands next to this page. @throws {ApiError} */
export async function ask<Answer>(path: string, body?: unknown, signal?: AbortSignal): Promise<Answer> {
  const response = await send(path, {
    ...(body !== undefined && { method: 'POST', body: JSON.stringify(body) }),
    headers: { authorization: `Bearer ${tokenOf()}`, 'content-type': 'application/json' },
    ...(signal !== undefined && { signal }),
  });
  return (await response.json()) as Answer;
}

/** @throws {ApiError} */
export async function send(path: string, request: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(`../admin/v1/${path}`, { ...request, cache: 'no-store' });
  } catch {
    throw new ApiError(0, 'The server doesn’t answer.');
  }
  if (response.ok) return response;
  const problem = (await response.json().catch(() => ({}))) as { readonly detail?: string };
  throw new ApiError(response.status, problem.detail ?? `The server answered ${response.status}.`);
}
