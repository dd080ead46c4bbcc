// Fills in the single figures that docs quote from bench/results.json, between
// `<!-- figure: EXPRESSION; DIGITS -->` and `<!-- / -->`. They are computed from the names below.
import { createContext, runInContext } from 'node:vm';

/**
 * @typedef {{ suite: string, subject: string, params: Record<string, string | number>, metric: string, unit: string,
 *   median: number, runs: number, ratio: number | null }} Row
 */

/** The subjects of the suites, as expressions name them. */
const SUBJECTS = {
  c: 'send() loop (C)',
  resWrite: 'res.write loop (Express)',
  betterSse: 'better-sse',
  nchan: 'nchan',
  tidings: 'tidings',
  hijack: 'tidings, hijack',
};

/** The measured quantities of each subject, such as `tidings.cpu`. @type {Record<string, Pick<Row, 'suite' | 'params' | 'metric'>>} */
const METRICS = {
  /** One delivery, in µs. */
  cpu: { suite: 'fanout', params: { connections: 10_000 }, metric: 'server cpu' },
  cpu100: { suite: 'fanout', params: { connections: 100 }, metric: 'server cpu' },
  /** Milliseconds. */
  p50: { suite: 'fanout', params: { connections: 10_000 }, metric: 'latency p50' },
  /** Of a single event to a hub that has nothing else to do, in ms. */
  alone: { suite: 'latency', params: { connections: 1, 'events/s': 50 }, metric: 'latency p50' },
  /** Deliveries per second, one event at a time. */
  backToBack: { suite: 'fanout', params: { connections: 10_000 }, metric: 'back to back' },
  burst: { suite: 'burst', params: { connections: 1000, batch: 1 }, metric: 'deliveries' },
  burst8: { suite: 'burst', params: { connections: 1000, batch: 8 }, metric: 'deliveries' },
  /** An idle connection, in bytes. */
  memory: { suite: 'memory', params: { connections: 10_000 }, metric: 'resident' },
};

/** Clients that come back, having missed the newest 100 events. @type {Record<string, Pick<Row, 'suite' | 'params' | 'metric'>>} */
const RETURN = {
  /** Each, in µs. */
  cpu: returning('server cpu'),
  /** Until all have everything, in seconds. */
  time: returning('until all have all'),
};

/** @param {string} metric */
function returning(metric) {
  return { suite: 'resume', params: { clients: 10_000, missed: 'at the end', 'log length': 10_000 }, metric };
}

/** Logs that several machines share, measured with two nodes. @type {typeof METRICS} */
const SHARED = {
  /** Events per second that reached the other node. */
  delivered: { suite: '', params: { load: 'groups of 1000, 1 at once' }, metric: 'delivered' },
  /** Milliseconds from publishing a single event to the other node's client. */
  received: { suite: '', params: { load: 'one each 20 ms' }, metric: 'received p50' },
};
const GROUPED = 'groups of 100, one each 50 ms';
const FAST = 'groups of 10, 8 at once';
const SINGLE = 'one each 20 ms';

/**
 * What the suites `redis`, `postgres` and `cluster` measured, and, from its first and last number of nodes, what the engine's CPU of
 * an event is for any number: a straight line. In µs.
 *
 * @param {readonly Row[]} rows @param {'redis' | 'postgres'} suite @param {string} subject
 */
function sharedLog(rows, suite, subject) {
  const shared = Object.entries(SHARED).map(([name, metric]) => [name, { ...metric, suite }]);
  /** @param {string} load @param {number} nodes @param {string} metric */
  const cost = (load, nodes, metric) => {
    const wanted = { cost: { suite: 'cluster', params: { nodes, load }, metric } };
    return figuresOf(rows, subject, wanted)['cost'] ?? Number.NaN;
  };
  /** @param {string} load @returns {(nodes: number) => number} */
  const line = (load) => (nodes) => {
    const [one, four] = [cost(load, 1, 'engine cpu'), cost(load, 4, 'engine cpu')];
    return one + ((four - one) / 3) * (nodes - 1);
  };
  return {
    ...figuresOf(rows, subject, Object.fromEntries(shared)),
    grouped: line(GROUPED),
    single: line(SINGLE),
    fast: line(FAST),
    /** A node that follows: at a pace that leaves room, and as fast as it goes. */
    follower: cost(GROUPED, 4, 'follower cpu'),
    fastFollower: cost(FAST, 2, 'follower cpu'),
    bytes: figuresOf(rows, subject, {
      bytes: { suite: 'cluster', params: { size: 100 }, metric: 'in the engine' },
    })['bytes'],
  };
}

/**
 * @param {string} text
 * @param {readonly Row[]} rows
 * @throws {Error} for a figure that can't be computed
 */
export function fillFigures(text, rows) {
  const names = namesIn(rows);
  return text
    .replaceAll(
      /<!-- figure: (.+?); (\d) -->.*?<!-- \/ -->/gs,
      (_, /** @type {string} */ expression, /** @type {string} */ digits) =>
        `<!-- figure: ${expression}; ${digits} -->${format(compute(expression, names), Number(digits))}<!-- / -->`,
    )
    .replaceAll(
      /(<!-- bars: (.+?) -->\n).*?(<!-- \/ -->)/gs,
      (_, /** @type {string} */ start, /** @type {string} */ list, /** @type {string} */ end) =>
        `${start}${bars(list.split(', '), names)}${end}`,
    );
}

/** A bar for each subject's CPU per delivery. @param {readonly string[]} labels @param {import('node:vm').Context} names */
function bars(labels, names) {
  const lines = labels.map((pair) => {
    const [name = '', label = name] = pair.split('=');
    return { name, label, value: compute(`${name}.cpu`, names) };
  });
  const greatest = Math.max(...lines.map(({ value }) => value));
  return lines
    .map(({ name, label, value }) => {
      const ours = name === 'tidings' ? ' class="ours"' : '';
      const width = Math.round((100 * value) / greatest);
      return `<span>${label}</span><b${ours} style="width: ${width}%">${format(value, value < 10 ? 2 : 3)} µs</b>\n`;
    })
    .join('');
}

/** @param {readonly Row[]} rows */
function namesIn(rows) {
  const entries = Object.entries(SUBJECTS).map(([name, subject]) => [
    name,
    figuresOf(rows, subject, METRICS),
  ]);
  const back = figuresOf(rows, 'tidings, memory', RETURN);
  return createContext({
    ...Object.fromEntries(entries),
    back,
    redis: sharedLog(rows, 'redis', 'tidings, Redis'),
    postgres: sharedLog(rows, 'postgres', 'tidings, PostgreSQL'),
    relaxed: sharedLog(rows, 'postgres', 'tidings, PostgreSQL, synchronous_commit = off'),
    min: Math.min,
  });
}

/** @param {readonly Row[]} rows @param {string} subject @param {typeof METRICS} metrics */
function figuresOf(rows, subject, metrics) {
  const found = Object.entries(metrics).flatMap(([name, { suite, params, metric }]) => {
    const row = rows.find(
      (each) =>
        each.suite === suite &&
        each.subject === subject &&
        each.metric === metric &&
        JSON.stringify(each.params) === JSON.stringify(params),
    );
    return row === undefined ? [] : [[name, row.median]];
  });
  return Object.fromEntries(found);
}

/** @param {string} expression @param {import('node:vm').Context} names @returns {number} */
function compute(expression, names) {
  const value = runInContext(expression, names);
  if (!Number.isFinite(value)) throw new Error(`bench/results.json has no figure for ${expression}.`);
  return value;
}

/** @param {number} value @param {number} digits significant ones */
function format(value, digits) {
  const whole = value >= 10 ** (digits - 1);
  return new Intl.NumberFormat('en-US', {
    maximumSignificantDigits: digits,
    ...(!whole && { minimumSignificantDigits: digits }),
  }).format(value);
}
