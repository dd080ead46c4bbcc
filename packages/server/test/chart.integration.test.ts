/** The Helm chart: what it says about itself holds, and, where `helm` is installed, what it renders. */
import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { variableOf } from '../src/config/setting.ts';
import { SETTINGS } from '../src/server/table.ts';

const chart = fileURLToPath(new URL('../../../deploy/helm/tidings/', import.meta.url));
const read = (name: string): string => readFileSync(`${chart}${name}`, 'utf8');
const templates = readdirSync(`${chart}templates`)
  .map((name) => read(`templates/${name}`))
  .join('\n');
const values: unknown = parse(read('values.yaml'));
const schema: unknown = JSON.parse(read('values.schema.json'));

/** Values that hold whatever Kubernetes, or the server, takes there. */
const OPEN = /^(config|resources|nodeSelector|affinity|podAnnotations|.*\.(annotations|labels))$/;

function paths(value: unknown, at = ''): readonly string[] {
  const isLeaf = typeof value !== 'object' || value === null || Array.isArray(value) || OPEN.test(at);
  if (isLeaf) return [at];
  return Object.entries(value).flatMap(([name, inner]) => paths(inner, at === '' ? name : `${at}.${name}`));
}

function described(at: string): unknown {
  return at
    .split('.')
    .reduce<unknown>(
      (inside, name) => (inside as { properties?: Record<string, unknown> })?.properties?.[name],
      schema,
    );
}

describe('the chart', () => {
  test.each(paths(values))('takes the value %s: described by the schema, and used', (path) => {
    expect(described(path)).toBeDefined();
    expect(templates).toMatch(new RegExp(`\\.Values\\.${path.replaceAll('.', String.raw`\.`)}\\b`));
  });

  test('uses no value that it doesn’t have', () => {
    const known = paths(values);
    const used = [...templates.matchAll(/\.Values\.([\w.]*\w)/g)].map(([, path = '']) => path);
    expect(used.length).toBeGreaterThan(30);
    expect(
      used.filter((path) => !known.some((each) => each === path || each.startsWith(`${path}.`))),
    ).toEqual([]);
  });

  test('sets settings that exist', () => {
    const known = new Set(
      SETTINGS.flatMap((setting) => [variableOf(setting), `${variableOf(setting)}_FILE`]),
    );
    const image = readFileSync(`${chart}../../docker/Dockerfile`, 'utf8');
    const compose = readFileSync(`${chart}../../docker/compose.yaml`, 'utf8');
    const set = [...(templates + image + compose).matchAll(/\b(TIDINGS_[A-Z_]+)(?=[:=]|\n| )/g)].map(
      ([, name = '']) => name,
    );
    const others = new Set(['TIDINGS_IMAGE', 'TIDINGS_PORT', 'TIDINGS_SECRET_FILE']);
    expect(set.length).toBeGreaterThan(5);
    expect(set.filter((name) => !known.has(name) && !others.has(name))).toEqual([]);
  });
});

interface Manifest {
  readonly kind: string;
  readonly spec: Readonly<Record<string, unknown>>;
}

function helm(...set: readonly string[]): {
  readonly error: string;
  readonly manifests: readonly Manifest[];
} {
  const args = [
    'template',
    'here',
    chart,
    '--kube-version',
    '1.30.0',
    ...set.flatMap((each) => ['--set', each]),
  ];
  const { status, stdout, stderr } = spawnSync('helm', args, { encoding: 'utf8' });
  const manifests =
    status === 0 ? parseAllDocuments(stdout).map((document) => document.toJS() as Manifest) : [];
  return { error: stderr, manifests };
}

// Debian has no package of helm, so most machines only run the checks above.
const hasHelm = spawnSync('helm', ['version']).error === undefined;
if (!hasHelm) console.log('helm is not on the PATH: what the chart renders is not tested.');
else
  describe('the chart, rendered', () => {
    test.each([
      ['two servers on Redis', [], ['Deployment', 'PodDisruptionBudget'], 2],
      ['one server with a volume', ['log.engine=lmdb', 'replicas=5'], ['StatefulSet'], 1],
      ['one server in memory', ['log.engine=memory'], ['Deployment'], 1],
    ])('%s', (_, set, kinds, replicas) => {
      const { error, manifests } = helm(...set);
      expect(error).toBe('');
      const all = manifests.map(({ kind }) => kind);
      expect(all).toEqual(expect.arrayContaining([...kinds, 'Service', 'ConfigMap', 'ServiceAccount']));
      const workload = manifests.find(({ kind }) => kind === 'Deployment' || kind === 'StatefulSet');
      expect(workload?.spec['replicas']).toBe(replicas);
    });

    test('everything there is to switch on', () => {
      const { error, manifests } = helm(
        'autoscaling.enabled=true',
        'serviceMonitor.enabled=true',
        'networkPolicy.enabled=true',
        'ingress.enabled=true',
        'ingress.host=events.example',
        'auth.existingSecret=keys',
      );
      expect(error).toBe('');
      const kinds = ['HorizontalPodAutoscaler', 'ServiceMonitor', 'NetworkPolicy', 'Ingress'];
      expect(manifests.map(({ kind }) => kind)).toEqual(expect.arrayContaining(kinds));
      expect(manifests.find(({ kind }) => kind === 'Deployment')?.spec).not.toHaveProperty('replicas');
    });

    test.each([
      ['a misspelt value', 'relicas=3', 'relicas'],
      ['a log that doesn’t exist', 'log.engine=kafka', 'engine'],
    ])('refuses %s', (_, set, name) => {
      expect(helm(set).error).toContain(name);
    });

    test('refuses to scale what can’t be shared', () => {
      expect(helm('log.engine=lmdb', 'autoscaling.enabled=true').error).toContain('autoscaling needs a log');
    });
  });
