// The hub of the home page: a real one, with real clients, and a network that can be switched off.
import { createHub } from 'tidings';
import { type EventClient, connect } from 'tidings/client';
import { sse } from 'tidings/fetch';

export interface Device {
  readonly client: EventClient;
  setOnline(online: boolean): void;
}

export interface DemoHub {
  publish(text: string): Promise<number>;
  head(): number;
  connect(onEvent: (text: string, seq: number) => void): Device;
  close(): void;
}

export const seqOf = (cursor: string | undefined): number => Number(cursor?.split('.')[1] ?? 0);

export function startDemoHub(): DemoHub {
  const hub = createHub({ retry: 250 });
  const handle = sse(hub);
  const devices = new Set<EventClient>();

  function connectDevice(onEvent: (text: string, seq: number) => void): Device {
    let online = true;
    const cuts = new Set<() => void>();

    async function network(url: string, init?: RequestInit): Promise<Response> {
      if (!online) throw new TypeError('The network is off.');
      const response = await handle(new Request(url, init));
      const body = response.body?.pipeThrough(cuttable(cuts));
      return new Response(body, { status: response.status, headers: response.headers });
    }

    const client = connect('https://demo.invalid/events', {
      topics: ['harbour'],
      cursor: hub.cursor(),
      fetch: (url, init) => network(String(url), init as RequestInit),
      retry: { base: 200, max: 600 },
      longPoll: 'never',
    });
    client.on('message', (event) => onEvent(event.json<string>(), seqOf(event.cursor)));
    devices.add(client);
    return {
      client,
      setOnline(next) {
        online = next;
        if (online) client.reconnect();
        else for (const cut of cuts) cut();
      },
    };
  }

  return {
    publish: async (text) => (await hub.publish('harbour', text)).seq,
    head: () => seqOf(hub.cursor()),
    connect: connectDevice,
    close() {
      for (const client of devices) client.close();
      void hub.close({ within: 0 });
    },
  };
}

/** Passes bytes on until it is cut. */
function cuttable(cuts: Set<() => void>): TransformStream<Uint8Array, Uint8Array> {
  return new TransformStream<Uint8Array, Uint8Array>({
    start(controller) {
      cuts.add(() => controller.error(new TypeError('The network is off.')));
    },
  });
}
