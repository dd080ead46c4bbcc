import { describe, expect, it, onTestFinished } from 'vitest';
import { serveExchanges, welcome } from '../../test/client/exchanges.ts';
import { until } from '../../test/http/deadline.ts';
import { createManualClock } from '../testing/manual-clock.ts';
import { resolveSettings } from './settings.ts';
import { upstreamOpener } from './upstream.ts';

const LABEL = 'event: tidings:label\ndata: {"topics":["a"]}\n\n';

async function start() {
  const server = await serveExchanges();
  const clock = createManualClock();
  const said: unknown[] = [];
  const open = upstreamOpener(resolveSettings(server.url, { timers: clock, random: () => 0.5 }));
  const upstream = open(['a'], 'e.1', {
    opened: (audience, at) => said.push(['opened', audience, at]),
    event: ({ id }) => said.push(['event', id]),
    flush: (at) => said.push(['flush', at]),
    gap: () => said.push(['gap']),
    down: (message) => said.push(['down', message]),
    failed: (message) => said.push(['failed', message]),
  });
  onTestFinished(() => upstream.close());
  const stream = await server.next();
  stream.stream(welcome({ audience: 'x', resumed: true }, 'e.1'));
  await until('beginning', () => said.length >= 2);
  return { server, clock, stream, said };
}

describe('the connection that a leading tab has for all', () => {
  it('shows no sign of life when it is given up for being silent', async () => {
    const { clock, said } = await start();
    clock.advance(40_000);
    await until('end', () => said.length > 2);
    expect(said).toEqual([
      ['opened', 'x', 'e.1'],
      ['flush', 'e.1'],
      ['down', 'The server sent nothing for too long, so the connection counts as dead.'],
    ]);
  });

  it('hands over what came just before its end', async () => {
    const { stream, said } = await start();
    const goodbye = 'id: e.2\nevent: tidings:goodbye\ndata: {"reason":"drain","retry":100}\n\n';
    stream.send(`${LABEL}id: e.2\ndata: 1\n\n${goodbye}`);
    await until('end', () => said.length === 5);
    expect(said.slice(2)).toEqual([
      ['event', 'e.2'],
      ['flush', 'e.2'],
      ['down', undefined],
    ]);
  });
});
