import type { LogEntry } from '../../log/index.ts';
import { beginChecksum, checksumOfData, mixNumber, mixOptional, mixText } from './checksum.ts';

/** A stored event: msgpack of a tuple, which is shorter than of an object. */
export type EventRecord = readonly [
  time: number,
  topics: readonly [string, ...string[]],
  type: string | null,
  data: string,
  id: string | null,
  key: string | null,
  isPrivate: boolean,
  isTombstone: boolean,
  headSum: number,
  dataSum: number,
  canonical?: string | null,
  expiresAt?: number | null,
  publishedAt?: number | null,
];

export function toRecord(entry: LogEntry): EventRecord {
  const { seq, time, topics, type = null, data, id = null, key = null, tombstone, canonical } = entry;
  const { expiresAt, publishedAt } = entry;
  const flags = (entry.private ? 1 : 0) + (tombstone ? 2 : 0);
  const headSum = withTimes(
    checksumOfHead(seq, time, topics, flags, type, id, key, canonical),
    expiresAt,
    publishedAt,
  );
  const dataSum = checksumOfData(data);
  const isShort = canonical === undefined && expiresAt === undefined && publishedAt === undefined;
  if (isShort) return [time, topics, type, data, id, key, entry.private, tombstone, headSum, dataSum];
  return [
    time,
    topics,
    type,
    data,
    id,
    key,
    entry.private,
    tombstone,
    headSum,
    dataSum,
    canonical ?? null,
    expiresAt ?? null,
    publishedAt ?? null,
  ];
}

/** @throws {Error} if the record differs from the written one. */
export function toEntry(seq: number, record: EventRecord): LogEntry {
  const [, , , data, , , , , , dataSum] = record;
  if (dataSum !== checksumOfData(data)) throw damaged(seq);
  return toDoomedEntry(seq, record);
}

/** An entry that is about to be removed: its data is not checked. Throws if anything else is damaged. */
export function toDoomedEntry(seq: number, record: EventRecord): LogEntry {
  const [time, topics, type, data, id, key, isPrivate, isTombstone, headSum] = record;
  const canonical = record[10] ?? undefined;
  const expiresAt = record[11] ?? undefined;
  const publishedAt = record[12] ?? undefined;
  const flags = (isPrivate ? 1 : 0) + (isTombstone ? 2 : 0);
  const sum = withTimes(
    checksumOfHead(seq, time, topics, flags, type, id, key, canonical),
    expiresAt,
    publishedAt,
  );
  if (headSum !== sum) throw damaged(seq);
  return {
    seq,
    time,
    topics,
    ...(canonical !== undefined && { canonical }),
    ...(expiresAt !== undefined && { expiresAt }),
    ...(publishedAt !== undefined && { publishedAt }),
    type: type ?? undefined,
    data,
    id: id ?? undefined,
    key: key ?? undefined,
    tombstone: isTombstone,
    private: isPrivate,
    frame: undefined,
  };
}

function damaged(seq: number): Error {
  return new Error(`The record of event ${seq} is damaged.`);
}

function checksumOfHead(
  seq: number,
  time: number,
  topics: readonly string[],
  flags: number,
  type: string | null,
  id: string | null,
  key: string | null,
  canonical: string | undefined,
): number {
  let sum = mixNumber(mixNumber(beginChecksum(seq), time), flags);
  for (const topic of topics) sum = mixText(sum, topic);
  return mixOptional(mixOptional(mixOptional(mixOptional(sum, type), id), key), canonical) | 0;
}

/** Most events have neither. */
function withTimes(sum: number, expiresAt?: number, publishedAt?: number): number {
  if (expiresAt === undefined && publishedAt === undefined) return sum;
  return mixNumber(mixNumber(sum, expiresAt ?? 0), publishedAt ?? 0) | 0;
}
