import type { EventClient, ReceivedEvent } from '../client/event-client.ts';

/** Hears events of one type, of whichever client there is. @returns removes the listener. */
export type Listen = (type: string, listener: (event: ReceivedEvent) => void) => () => void;

export interface Ears {
  readonly listen: Listen;
  /** @returns detaches it. */
  attach(client: EventClient): () => void;
}

/** Listeners that outlive clients. */
export function createEars(): Ears {
  const all = new Set<{ readonly attach: (client: EventClient) => void; readonly detach: () => void }>();
  let attached: EventClient | undefined;

  return {
    listen(type, listener) {
      let remove: (() => void) | undefined;
      const ear = {
        attach: (client: EventClient) => void (remove = client.on(type, listener)),
        detach: () => remove?.(),
      };
      all.add(ear);
      if (attached !== undefined) ear.attach(attached);
      return () => {
        if (all.delete(ear)) ear.detach();
      };
    },
    attach(client) {
      attached = client;
      for (const ear of all) ear.attach(client);
      return () => {
        attached = undefined;
        for (const ear of all) ear.detach();
      };
    },
  };
}
