import { randomUUID } from 'node:crypto';
import { type EventLog, type Hub, type Item, TidingsError } from 'tidings';
import { type OwnConnection, createError } from 'tidings/transport';
import { inSlices } from '../../server/in-slices.ts';
import type { Permissions } from '../authorization-details.ts';
import type { TypedMatcher } from '../matchers.ts';
import { SUBSCRIPTION_TOPICS, type TopicNames } from '../topic-names.ts';
import { RESERVED_TYPE } from '../publish.ts';
import { type SubscriptionDocument, isDocument, toDocument } from './document.ts';

/** How often subscriptions of nodes that are gone are looked for, and how long a node must have been gone. */
const CHECK_EVERY = 5000;
const GONE_FOR = 15_000;
const RETRY = 1000;
/** The cluster is asked for its nodes at most this often. */
const ASK_EVERY = 1000;

export interface ActiveOptions {
  readonly hub: Hub;
  readonly log: EventLog;
  /** The path of all subscriptions. */
  readonly path: string;
  readonly names: TopicNames;
  readonly limits: { readonly topicLength: number };
  readonly report: (error: unknown) => void;
}

interface Known {
  readonly document: SubscriptionDocument;
  /** The node that the subscriber is connected to. */
  readonly node: string;
  readonly seq: number;
}

/**
 * The subscriptions of all nodes. Each is a state on the log: its topic is the subscription's, its key the node that has it.
 * When it ends, the key is deleted, by an update that says so. If its node is gone, another one does that.
 */
export class ActiveSubscriptions {
  readonly #options: ActiveOptions;
  readonly #process = randomUUID();
  #lastNodes: readonly string[] = [];
  #askedAt = -Infinity;
  /** This node's own, by their id. */
  readonly #own = new Map<string, SubscriptionDocument>();
  /** The subscriptions of all nodes, by the log. */
  #known = new Map<string, Known>();
  /** The part of a snapshot that has arrived. */
  #loading: Map<string, Known> | undefined = new Map();
  readonly #goneSince = new Map<string, number>();
  readonly #stop = new AbortController();
  readonly #timer: NodeJS.Timeout;

  constructor(options: ActiveOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#endThoseOfGoneNodes(), CHECK_EVERY).unref();
    void this.#follow();
  }

  /**
   * Announces a connection's subscriptions, and their end once it is over. Resolves once the log has them.
   *
   * @throws {TidingsError} `topic/too-long` (400); the error of the log's engine.
   */
  async begin(
    connection: OwnConnection,
    matchers: readonly TypedMatcher[],
    permissions: Permissions,
  ): Promise<void> {
    const {
      path,
      names,
      limits: { topicLength },
    } = this.#options;
    // Not the connection's own id, which operators know it by.
    const subscriber = `urn:uuid:${randomUUID()}`;
    const documents = [
      ...new Map(matchers.map((matcher) => [`${matcher.type} ${matcher.text}`, matcher])).values(),
    ].map((matcher) => toDocument(path, matcher, subscriber, permissions.payloadOf(matcher.text)));
    for (const { id } of documents) {
      const { length } = names.onLog(id);
      if (length <= topicLength) continue;
      throw createError(
        'topic/too-long',
        `A matcher is too long to be announced: the topic of its subscription has ${length} characters, and may have ${topicLength}.`,
      );
    }
    const node = this.#node;
    for (const document of documents) this.#own.set(document.id, document);
    connection.onClose(() => {
      for (const { id } of documents) this.#own.delete(id);
      this.#announce(
        documents.map((document) => ({ ...document, active: false })),
        node,
      ).catch(this.#options.report);
    });
    await this.#announce(documents, node);
  }

  /** All that are active. */
  *all(): Generator<SubscriptionDocument> {
    yield* this.#own.values();
    const node = this.#node;
    for (const { document, node: its } of this.#known.values())
      if (its !== node && !this.#own.has(document.id)) yield document;
  }

  find(id: string): SubscriptionDocument | undefined {
    const own = this.#own.get(id);
    const known = this.#known.get(id);
    return own ?? (known?.node === this.#node ? undefined : known?.document);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#stop.abort();
  }

  get #node(): string {
    return this.#nodes[0] ?? this.#process;
  }

  /** The nodes that are alive, this one first. A log that isn't shared has one node at a time. */
  get #nodes(): readonly string[] {
    const { hub, log } = this.#options;
    if (!log.shared) return [this.#process];
    // Counting all that is in the statistics takes a while, and each connection asks.
    const now = performance.now();
    if (now - this.#askedAt >= ASK_EVERY) {
      this.#lastNodes = hub.stats({ cluster: true }).nodes.map(({ id }) => id);
      this.#askedAt = now;
    }
    return this.#lastNodes;
  }

  async #announce(documents: readonly SubscriptionDocument[], key: string): Promise<void> {
    await this.#options.hub.publishAll(
      documents.map((document) => ({
        topics: this.#options.names.onLog(document.id),
        data: JSON.stringify(document),
        raw: true,
        private: true,
        type: RESERVED_TYPE,
        key,
        tombstone: !document.active,
      })),
    );
  }

  async #follow(): Promise<void> {
    const { hub, report } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        for await (const item of hub.subscribe(SUBSCRIPTION_TOPICS, {
          signal,
          granted: [SUBSCRIPTION_TOPICS],
        }))
          this.#take(item);
      } catch (error) {
        if (signal.aborted || (error instanceof TidingsError && error.code === 'log/closed')) return;
        report(error);
      }
      if (signal.aborted) return;
      // Cut off, or the hub is being closed.
      await new Promise<void>((resolve) => void setTimeout(resolve, RETRY).unref());
    }
  }

  #take(item: Item): void {
    if (item.kind === 'start' || item.kind === 'gap') {
      this.#loading = new Map();
      if (item.kind === 'start' && item.cursor !== undefined) this.#loaded();
      return;
    }
    if (item.kind === 'cursor') return this.#loaded();
    const { topics, key = '', tombstone, seq } = item;
    const into = this.#loading ?? this.#known;
    if (tombstone) {
      const id = this.#options.names.inProtocol(topics[0]) ?? '';
      if (into.get(id)?.node === key) into.delete(id);
      return;
    }
    const document = parse(item.data);
    if (document !== undefined) into.set(document.id, { document, node: key, seq });
  }

  #loaded(): void {
    if (this.#loading === undefined) return;
    this.#known = this.#loading;
    this.#loading = undefined;
    this.#endThoseOfGoneNodes();
  }

  /** After a crash nobody else ends them. Of several nodes that try, one succeeds. */
  #endThoseOfGoneNodes(): void {
    const { log, report } = this.#options;
    const alive = new Set(this.#nodes);
    const now = performance.now();
    for (const node of this.#goneSince.keys()) if (alive.has(node)) this.#goneSince.delete(node);
    const ended: Known[] = [];
    for (const known of this.#known.values()) {
      if (alive.has(known.node)) continue;
      const since = this.#goneSince.get(known.node) ?? now;
      this.#goneSince.set(known.node, since);
      // Other nodes may not have said yet that they are there.
      if (!log.shared || now - since >= GONE_FOR) ended.push(known);
    }
    // A server with very many may be gone.
    inSlices(ended, (known) => {
      this.#end(known).catch((error: unknown) => {
        if (!(error instanceof TidingsError && error.code === 'event/conflict')) report(error);
      });
    }).catch(report);
  }

  async #end({ document, node, seq }: Known): Promise<void> {
    await this.#options.hub.publish(
      this.#options.names.onLog(document.id),
      JSON.stringify({ ...document, active: false }),
      {
        raw: true,
        private: true,
        type: RESERVED_TYPE,
        key: node,
        tombstone: true,
        ifSeq: seq,
      },
    );
  }
}

function parse(data: string): SubscriptionDocument | undefined {
  try {
    const value: unknown = JSON.parse(data);
    return isDocument(value) ? value : undefined;
  } catch {
    // Only the hub publishes here, so it is of another version.
    return undefined;
  }
}
