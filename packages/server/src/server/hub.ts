import { type EventLog, type Hub, type HubLimits, createHub } from 'tidings';
import { gzip } from 'tidings/gzip';
import type { Settings } from '../config/setting.ts';
import * as rows from './settings.ts';

export function limitsOf(settings: Settings): Partial<HubLimits> {
  const address = rows.limits.connectionsPerAddress;
  const limits: Partial<HubLimits> = Object.fromEntries(
    Object.entries(rows.limits)
      // Left to its default, the hub spares addresses that look like a proxy.
      .filter(([, row]) => row !== address || settings.sourceOf(row) !== 'default')
      .map(([name, row]) => [name, settings.get(row)]),
  );
  return limits;
}

export function createServerHub(settings: Settings, log: EventLog, onError: (error: unknown) => void): Hub {
  return createHub({
    log,
    onError,
    limits: limitsOf(settings),
    heartbeat: settings.get(rows.heartbeat),
    retry: settings.get(rows.retry),
    stallTimeout: settings.get(rows.stallTimeout),
    maxLifetime: settings.get(rows.maxLifetime),
    replay: { events: settings.get(rows.replayEvents), bytes: settings.get(rows.replayBytes) },
    catchUpShare: settings.get(rows.catchUpShare),
    presence: settings.get(rows.presence),
    ...(settings.get(rows.compression) && { compression: gzip() }),
  });
}
