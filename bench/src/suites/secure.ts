import { costsAt } from '../harness/maximum.ts';
import { onStage } from '../harness/stage.ts';
import type { Bench, Suite } from '../harness/suite.ts';
import type { Params } from '../harness/report.ts';
import type { Wire } from '../harness/wire.ts';
import { bareWriteLoop, secureSubjects } from '../subjects/index.ts';

const SIZE = 100;
/** Deliveries a second, alike for all: few enough for the load client, which has as much to decrypt. */
const PACE = 10_000;

const about = `Events of ${SIZE} bytes, each in a write of its own to each connection, ${PACE} deliveries a second.`;

/** The cost of encryption, and the cost without it. */
export const tls: Suite = {
  name: 'tls',
  about: `HTTP/1.1 over TLS. ${about} The bare loop has no HTTP server: it is what Node's TLS takes for the same bytes.`,
  reference: { subject: bareWriteLoop.name },
  async run(bench) {
    for (const connections of bench.connections([500, 5000], [10])) {
      await measureAll(bench, 'tls', 1, { connections });
    }
  },
};

/** A browser has a session of its own with one stream; a proxy brings many streams in one session. */
export const http2: Suite = {
  name: 'http2',
  about: `HTTP/2 over TLS, with one stream in each session, as browsers come, and with 50, as a proxy does. ${about}`,
  reference: { subject: bareWriteLoop.name },
  async run(bench) {
    for (const connections of bench.connections([500, 5000], [10])) {
      for (const streams of bench.pick([1, 50], [1, 5])) {
        await measureAll(bench, 'http2', streams, { connections, 'streams per session': streams });
      }
    }
  },
};

async function measureAll(
  bench: Bench,
  wire: Wire,
  streams: number,
  params: Params & { readonly connections: number },
): Promise<void> {
  const { connections } = params;
  for (const subject of bench.rounds(secureSubjects)) {
    await onStage(subject, { connections, wire, streams }, async (stage) => {
      const costs = await costsAt(bench, stage, { connections, size: SIZE, batch: 1 }, PACE / connections);
      bench.record(subject.name, params, costs);
    });
  }
}
