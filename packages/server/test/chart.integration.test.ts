/**
 * The Helm chart: what it says about itself holds, and what it renders is what Kubernetes takes. Debian has no package of
 * helm, so what the chart rendered is in `chart/`, with the hash of its sources. After a change of the chart, render
 * it again (`TIDINGS_UPDATE_CHART=1 npx vitest run --project integration chart`).
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Ajv } from 'ajv';
import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { readSettings } from '../src/config/read-settings.ts';
import { variableOf } from '../src/config/setting.ts';
import { parseConfig } from '../src/config/file.ts';
import { SETTINGS } from '../src/server/table.ts';

const chart = fileURLToPath(new URL('../../../deploy/helm/tidings/', import.meta.url));
const read = (name: string): string => readFileSync(`${chart}${name}`, 'utf8');
const templates = readdirSync(`${chart}templates`)
  .map((name) => read(`templates/${name}`))
  .join('\n');
const values: unknown = parse(read('values.yaml'));
const schema: unknown = JSON.parse(read('values.schema.json'));

const isSetting = (name: string): boolean => SETTINGS.some((setting) => setting.name === name);

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

describe('the schema of the values', () => {
  const validate = new Ajv({ strict: false, allErrors: true }).compile(schema as object);
  const withValue = (path: string, value: unknown): object => {
    const copy = structuredClone(values) as Record<string, unknown>;
    const names = path.split('.');
    const last = names.pop() ?? '';
    let inside = copy;
    for (const name of names) inside = inside[name] as Record<string, unknown>;
    inside[last] = value;
    return copy;
  };

  test('takes the chart’s own values', () => {
    validate(values);
    expect(validate.errors).toBeNull();
  });

  test.each<[string, unknown]>([
    ['relicas', 3],
    ['replicas', 0],
    ['replicas', '3'],
    ['replicas', 1.5],
    ['image.pullPolicy', 'always'],
    ['image.tagg', 'x'],
    ['log.engine', 'kafka'],
    ['log.url', 7],
    ['log.volume.sise', '1Gi'],
    ['config', []],
    ['auth.existingSecret', { name: 'keys' }],
    ['auth.secret', 'in the values, where it doesn’t belong'],
    ['service.type', 'Loadbalancer'],
    ['service.port', 70_000],
    ['service.port', '80'],
    ['ingress.enabled', 'yes'],
    ['ingress.hosts', ['a']],
    ['ingress.annotations', { proxied: true }],
    ['shutdown.delay', '5s'],
    ['shutdown.within', -1],
    ['podDisruptionBudget.enabled', 1],
    ['podDisruptionBudget.minAvailable', 1],
    ['autoscaling.minReplicas', 0],
    ['autoscaling.cpu', '70%'],
    ['serviceMonitor.interval', 15],
    ['networkPolicy.internalFrom', {}],
    ['resources', 'small'],
    ['resources.limits.memory', true],
    ['resources.limit', { memory: '1Gi' }],
    ['podAnnotations', { restarted: 1 }],
    ['nodeSelector', ['gpu']],
    ['tolerations', {}],
  ])('refuses %s: %o', (path, value) => {
    expect(validate(withValue(path, value))).toBe(false);
  });
});

interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  // oxlint-disable-next-line typescript/no-explicit-any -- Held to the types of Kubernetes below.
  readonly [field: string]: any;
}

/** The values that the chart is rendered with. */
const CASES: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  redis: {},
  lmdb: { 'log.engine': 'lmdb', 'log.volume.storageClass': 'fast', replicas: 5 },
  memory: { 'log.engine': 'memory', podDisruptionBudget: { enabled: false, maxUnavailable: 1 } },
  everything: {
    config: {
      topics: [{ topic: 'status', state: true }],
      auth: { jwt: { 'jwks-url': 'https://id.example/keys' } },
    },
    log: { engine: 'postgres', url: '', existingSecret: 'database' },
    image: { repository: 'registry.example/tidings', tag: '1', pullSecrets: [{ name: 'registry' }] },
    'auth.existingSecret': 'keys',
    'auth.internalTokenKey': 'internal-token',
    'autoscaling.enabled': true,
    'serviceMonitor.enabled': true,
    'serviceMonitor.labels': { release: 'prometheus' },
    'networkPolicy.enabled': true,
    'networkPolicy.internalFrom': [{ podSelector: { matchLabels: { app: 'prometheus' } } }],
    ingress: { enabled: true, className: 'nginx', host: 'events.example', tlsSecret: 'certificate' },
    'service.annotations': { note: 'x' },
    podAnnotations: { note: 'x' },
    nodeSelector: { disk: 'ssd' },
    tolerations: [{ key: 'dedicated', operator: 'Equal', value: 'events', effect: 'NoSchedule' }],
    affinity: {
      podAntiAffinity: {
        preferredDuringSchedulingIgnoredDuringExecution: [
          {
            weight: 1,
            podAffinityTerm: { topologyKey: 'zone', labelSelector: { matchLabels: { a: 'b' } } },
          },
        ],
      },
    },
  },
};

/** Of everything that is rendered; the chart's version is another one with each release. */
const chartVersion = (parse(read('Chart.yaml')) as { version: string }).version;
const sources = [
  read('values.yaml'),
  read('values.schema.json'),
  templates,
  JSON.stringify(CASES),
  read('Chart.yaml').replaceAll(/^(version|appVersion):.*$/gm, ''),
];
const sourceHash = createHash('sha256').update(sources.join('\0')).digest('hex');
const rendered = fileURLToPath(new URL('chart/', import.meta.url));

interface Rendered {
  readonly from: string;
  readonly manifests: readonly Manifest[];
}

const renderedOf = (name: string): Rendered =>
  JSON.parse(readFileSync(join(rendered, `${name}.json`), 'utf8')) as Rendered;

function helm(set: Readonly<Record<string, unknown>>): {
  readonly error: string;
  readonly manifests: readonly Manifest[];
} {
  const flags = Object.entries(set).flatMap(([path, value]) => [
    '--set-json',
    `${path}=${JSON.stringify(value)}`,
  ]);
  const args = ['template', 'here', chart, '--kube-version', '1.30.0', ...flags];
  const { status, stdout, stderr } = spawnSync('helm', args, { encoding: 'utf8' });
  const text = stdout
    .replaceAll(`tidings-${chartVersion}`, 'tidings-VERSION')
    .replaceAll(`"${chartVersion}"`, '"VERSION"')
    .replaceAll(`tidings:${chartVersion}`, 'tidings:VERSION');
  const documents = status === 0 ? parseAllDocuments(text) : [];
  return { error: stderr, manifests: documents.map((document) => document.toJS() as Manifest) };
}

const hasHelm = spawnSync('helm', ['version']).error === undefined;
if (!hasHelm)
  console.log('helm is not on the PATH: what it rendered before is tested, by the hash of the chart.');
else if (process.env['TIDINGS_UPDATE_CHART'] === '1')
  for (const [name, set] of Object.entries(CASES)) {
    const { error, manifests } = helm(set);
    if (error !== '') throw new Error(error);
    writeFileSync(
      join(rendered, `${name}.json`),
      `${JSON.stringify({ from: sourceHash, manifests }, undefined, 1)}\n`,
    );
  }

describe.each(Object.keys(CASES))('what the chart renders: %s', (name) => {
  const { from, manifests } = renderedOf(name);
  const of = (kind: string): readonly Manifest[] => manifests.filter((each) => each.kind === kind);
  const workload = manifests.find(({ kind }) => kind === 'Deployment' || kind === 'StatefulSet') as Manifest;
  const pod = workload['spec'].template;
  const [container] = pod.spec.containers;

  test('is of the chart as it stands', () => {
    expect(from).toBe(sourceHash);
    if (hasHelm) expect(helm(CASES[name] ?? {})).toEqual({ error: '', manifests });
  });

  test('has what it is about', () => {
    const expected: Readonly<Record<string, readonly [string, number | undefined, readonly string[]]>> = {
      redis: ['Deployment', 2, ['PodDisruptionBudget']],
      lmdb: ['StatefulSet', 1, []],
      memory: ['Deployment', 1, []],
      everything: [
        'Deployment',
        undefined,
        ['PodDisruptionBudget', 'HorizontalPodAutoscaler', 'ServiceMonitor', 'NetworkPolicy', 'Ingress'],
      ],
    };
    const [kind, replicas, others] = expected[name] ?? [];
    expect([workload.kind, workload['spec'].replicas]).toEqual([kind, replicas]);
    expect(new Set(manifests.map((each) => each.kind))).toEqual(
      new Set([kind, 'Service', 'ConfigMap', 'ServiceAccount', ...(others ?? [])]),
    );
  });

  test('refers to what is there: labels, ports, names, volumes', () => {
    const labels = pod.metadata.labels as Readonly<Record<string, string>>;
    expect(labels).toMatchObject(workload['spec'].selector.matchLabels);
    for (const { spec } of of('Service')) expect(labels).toMatchObject(spec.selector);
    for (const { spec } of of('PodDisruptionBudget')) expect(labels).toMatchObject(spec.selector.matchLabels);
    for (const { spec } of of('NetworkPolicy')) expect(labels).toMatchObject(spec.podSelector.matchLabels);
    const ports = (container.ports as readonly { name: string }[]).map((port) => port.name);
    for (const { spec } of of('Service'))
      for (const { targetPort } of spec.ports) expect(ports).toContain(targetPort);
    for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe'])
      expect(ports).toContain(container[probe].httpGet.port);
    const services = of('Service').map(({ metadata }) => metadata.name as string);
    for (const { spec } of of('Ingress'))
      expect(services).toContain(spec.rules[0].http.paths[0].backend.service.name);
    if (workload.kind === 'StatefulSet') expect(services).toContain(workload['spec'].serviceName);
    for (const { spec } of of('HorizontalPodAutoscaler'))
      expect(spec.scaleTargetRef).toMatchObject({ kind: workload.kind, name: workload['metadata'].name });
    for (const { spec } of of('ServiceMonitor'))
      expect(
        of('Service').filter(({ metadata }) =>
          Object.entries(spec.selector.matchLabels).every(([key, value]) => metadata.labels[key] === value),
        ),
      ).toHaveLength(1);
    const volumes = [
      ...(pod.spec.volumes ?? []).map((volume: { name: string }) => volume.name),
      ...(workload['spec'].volumeClaimTemplates ?? []).map((claim: Manifest) => claim['metadata'].name),
    ];
    for (const { name: mount } of container.volumeMounts) expect(volumes).toContain(mount);
  });

  test('runs without rights, and with settings that the server takes', () => {
    expect(pod.spec.securityContext.runAsNonRoot).toBe(true);
    expect(container.securityContext).toMatchObject({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    const [config] = of('ConfigMap');
    const entries = (container.env as readonly { name: string; value?: string }[]).map(
      (each) => [each.name, each.value] as const,
    );
    const { problems } = readSettings(SETTINGS, {
      file: {
        path: '/etc/tidings/config.yaml',
        values: parseConfig(config?.['data']['config.yaml'], 'config.yaml', isSetting),
      },
      environment: Object.fromEntries(entries),
      flags: {},
      readSecret: () => 's'.repeat(32),
    });
    expect(problems).toEqual([]);
  });
});

describe('the types of Kubernetes', () => {
  test('take everything that the chart renders', { timeout: 240_000 }, () => {
    const all = Object.keys(CASES).flatMap((name) => renderedOf(name).manifests);
    expect(typeErrors(all)).toBe('');
  });

  test(
    'refuse a misspelt field, a wrong type, a missing field and an unknown kind',
    { timeout: 240_000 },
    () => {
      const [deployment] = renderedOf('redis').manifests.filter(({ kind }) => kind === 'Deployment') as [
        Manifest,
      ];
      const { selector, ...spec } = deployment['spec'];
      const wrong = [
        { ...deployment, spec: { ...spec, selector, relicas: 2 } },
        { ...deployment, spec: { ...spec, selector, replicas: '2' } },
        { ...deployment, spec },
        { ...deployment, kind: 'Deploiment' },
      ];
      const errors = typeErrors(wrong);
      for (let i = 0; i < wrong.length; i += 1) expect(errors).toContain(`manifests/${i}.ts`);
    },
  );
});

/** Of an operator, which Kubernetes has no types for: https://prometheus-operator.dev/docs/api-reference/api/ */
const SERVICE_MONITOR = `
interface ServiceMonitor {
  apiVersion?: 'monitoring.coreos.com/v1'; kind?: 'ServiceMonitor';
  metadata: { name: string; labels?: Record<string, string> };
  spec: { selector: { matchLabels: Record<string, string> }; endpoints: { port: string; path: string; interval: string }[] };
}`;

/** Compiles each manifest as a value of its kind's type: literals may have no fields that the type doesn't know. */
function typeErrors(manifests: readonly Manifest[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'tidings-chart-'));
  const modules = fileURLToPath(new URL('../../../node_modules', import.meta.url));
  try {
    symlinkSync(modules, join(folder, 'node_modules'));
    const names = manifests.map((_, i) => `${i}.ts`);
    for (const [i, manifest] of manifests.entries())
      writeFileSync(join(folder, names[i] ?? ''), sourceOf(manifest));
    const flags = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--pretty', 'false'];
    const tsc = join(modules, 'typescript/bin/tsc');
    const { stdout, status } = spawnSync(process.execPath, [tsc, ...flags, '--types', '', ...names], {
      cwd: folder,
      encoding: 'utf8',
    });
    return status === 0 ? '' : stdout.replaceAll(/^(\d+\.ts)/gm, 'manifests/$1');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function sourceOf({ apiVersion, kind, ...rest }: Manifest): string {
  const [group = '', version] = apiVersion.includes('/') ? apiVersion.split('/') : ['core', apiVersion];
  const module = `kubernetes-types/${group.replace(/\..*/, '')}/${version}`;
  const value = JSON.stringify({ apiVersion, kind, ...rest }, undefined, 1);
  if (kind === 'ServiceMonitor')
    return `${SERVICE_MONITOR}\nexport const manifest: ServiceMonitor = ${value};\n`;
  return `import type { ${kind} } from '${module}';\nexport const manifest: ${kind} = ${value};\n`;
}

if (hasHelm)
  describe('helm', () => {
    test.each<[string, Readonly<Record<string, unknown>>, string]>([
      ['a misspelt value', { relicas: 3 }, 'relicas'],
      ['a log that doesn’t exist', { 'log.engine': 'kafka' }, 'engine'],
      [
        'to scale what can’t be shared',
        { 'log.engine': 'lmdb', 'autoscaling.enabled': true },
        'autoscaling needs a log',
      ],
    ])('refuses %s', (_, set, name) => {
      expect(helm(set).error).toContain(name);
    });
  });
