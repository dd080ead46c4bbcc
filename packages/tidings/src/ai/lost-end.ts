import type { LogEntry } from '../log/entry.ts';
import type { NewEvent } from '../protocol/event.ts';
import { OWNERS } from './names.ts';
import { CHUNKS_TYPE, RECORD_TYPE } from './record.ts';

/** What a log that lost its end has lost of runs, as far as a process's tail still has it. */
export interface LostOfRuns {
  /** Batches of chunks, to be appended again, by the topic of their run. */
  readonly chunks: ReadonlyMap<string, readonly NewEvent[]>;
  /** Keys of runs whose record, or its newest change, is gone. */
  readonly records: ReadonlySet<string>;
  /** Processes that have to say again that they are alive. */
  readonly owners: ReadonlySet<string>;
}

/** @param ttl of the batches. */
export function lostOfRuns(lost: readonly LogEntry[], ttl: number): LostOfRuns {
  const chunks = new Map<string, NewEvent[]>();
  const records = new Set<string>();
  const owners = new Set<string>();
  for (const { topics, type, data, key, tombstone } of lost) {
    const [topic] = topics;
    if (key === undefined || tombstone) continue;
    if (topic === OWNERS) owners.add(key);
    else if (type === RECORD_TYPE) records.add(key);
    else if (type === CHUNKS_TYPE) {
      const event: NewEvent = { topics, type, data, id: undefined, key, tombstone, private: true, ttl };
      const others = chunks.get(topic);
      if (others === undefined) chunks.set(topic, [event]);
      else others.push(event);
    }
  }
  return { chunks, records, owners };
}
