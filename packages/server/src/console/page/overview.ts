import { type ServerView, ask } from './api.ts';
import { type Figure, figures, need, setText, setTone } from './dom.ts';
import * as format from './format.ts';
import { Rates } from './rates.ts';
import type { View } from './view.ts';

const rates = new Rates();

/** The server in the bar at the top, whatever view is open. @returns its answer. */
export async function refreshServer(): Promise<ServerView> {
  const server = await ask<ServerView>('stats');
  const health = need('#health', HTMLElement);
  const [text, tone] = healthOf(server);
  setText(health, text);
  setTone(health, tone);
  const mode = server.development ? ', development mode' : '';
  setText(
    need('#server', HTMLElement),
    `${location.host}, ${server.version}${mode}, up ${format.age(server.now - server.startedAt)}`,
  );
  return server;
}

export function healthOf({ phase, health }: Pick<ServerView, 'phase' | 'health'>): [string, string] {
  if (!health.log.up) return ['Log away', 'bad'];
  if (phase !== 'serving') return [phase === 'draining' ? 'Draining' : 'Starting', 'warn'];
  return health.ready ? ['Ready', 'good'] : ['Catching up', 'warn'];
}

/** The counters of this server. */
export function overview(): View & { show(server: ServerView): void } {
  const tiles = figures(need('#tiles', HTMLElement));
  const lists = ['connects', 'ends', 'gaps', 'refused', 'failed', 'engine'] as const;
  const [connects, ends, gaps, refused, failed, engine] = lists.map((id) =>
    figures(need(`#${id}`, HTMLElement)),
  );

  return {
    show(server) {
      const { stats } = server;
      tiles(tilesOf(server));
      connects?.(countsOf(stats.connects));
      ends?.(countsOf(stats.ends));
      gaps?.(countsOf(stats.gaps, 'warn'));
      refused?.(countsOf(stats.refused));
      failed?.(countsOf(stats.publishFailed, 'warn'));
      engine?.(engineOf(server));
    },
  };
}

function tilesOf({ now, stats, cluster, health }: ServerView): Figure[] {
  const { published, delivered, bytes } = stats;
  const behind = stats.behind - stats.inProcessBehind;
  const per = rates.look(now, { published, delivered, bytes });
  return [
    { name: 'Streams', text: format.count(stats.connections - stats.inProcess) },
    { name: 'Behind', text: format.count(behind), tone: behind > 0 ? 'warn' : '' },
    { name: 'Published', text: format.rate(per['published']) },
    { name: 'Delivered', text: format.rate(per['delivered']) },
    { name: 'Bytes', text: per['bytes'] === undefined ? '–' : `${format.bytes(per['bytes'])}/s` },
    { name: 'Delivery, median', text: format.latency(stats.deliveryLag.p50) },
    { name: 'Delivery, p99', text: format.latency(stats.deliveryLag.p99) },
    { name: 'Topics', text: format.count(stats.topics) },
    { name: 'Nodes', text: format.count(cluster.nodes) },
    {
      name: 'Log',
      text: health.log.up ? format.latency(health.log.took) : 'away',
      tone: health.log.up ? '' : 'bad',
    },
  ];
}

function engineOf({ stats }: ServerView): Figure[] {
  return [
    { name: 'head', text: format.count(stats.tail.head) },
    { name: 'events kept, at most', text: format.count(stats.log.events) },
    { name: 'in memory', text: `${format.count(stats.tail.events)}, ${format.bytes(stats.tail.bytes)}` },
    { name: 'epoch', text: stats.tail.epoch },
    { name: 'shared', text: stats.log.shared ? 'yes' : 'no' },
  ];
}

function countsOf(counts: Readonly<Record<string, number>>, tone: 'warn' | '' = ''): Figure[] {
  const all = Object.entries(counts).map(([name, value]) => ({
    name,
    text: format.count(value),
    tone: value > 0 ? tone : ('' as const),
  }));
  return all.length > 0 ? all : [{ name: 'none', text: '' }];
}
