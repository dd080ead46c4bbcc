// The tests' needs beyond npm packages, and where to look for them. scripts/setup.mjs installs them; a test that misses
// one skips itself with the reason given here.
import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * @typedef {object} Need
 * @property {string} name
 * @property {string} debianPackage
 * @property {string} tests which tests are skipped without it
 * @property {string} howTo the steps for a person where setup.mjs does not install
 * @property {() => string | undefined} find the path of the program, if there is one
 */

/** @type {Need} */
export const chromium = {
  name: 'Chromium',
  debianPackage: 'chromium',
  tests: 'the browser tests in e2e/',
  howTo:
    'install Chromium or Google Chrome (Debian, Ubuntu: apt-get install chromium; macOS: brew install --cask chromium; ' +
    'Fedora: dnf install chromium), or set CHROMIUM_PATH to its executable',
  find() {
    const chosen = process.env['CHROMIUM_PATH'];
    if (chosen !== undefined && chosen !== '') return existsSync(chosen) ? chosen : undefined;
    return (
      onPath('chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome') ?? firstFile(macApps)
    );
  },
};

/** @type {Need} */
export const redis = {
  name: 'Redis',
  debianPackage: 'redis-server',
  tests: 'the tests that start a Redis server',
  howTo:
    'install Redis 7 or Valkey (Debian, Ubuntu: apt-get install redis-server; macOS: brew install redis)',
  find: () => onPath('redis-server', 'valkey-server'),
};

/** Finds `postgres`; `initdb` and the others are in the same folder. @type {Need} */
export const postgres = {
  name: 'PostgreSQL',
  debianPackage: 'postgresql',
  tests: 'the tests that start a PostgreSQL server',
  howTo:
    'install PostgreSQL 14 or newer (Debian, Ubuntu: apt-get install postgresql; macOS: brew install postgresql) ' +
    'and put its bin folder on the PATH',
  find: () => firstFile(debianPostgres()) ?? onPath('postgres'),
};

/** @type {Need} */
export const pgbouncer = {
  name: 'PgBouncer',
  debianPackage: 'pgbouncer',
  tests: 'the test of the PostgreSQL log behind PgBouncer',
  howTo: 'install PgBouncer (Debian, Ubuntu: apt-get install pgbouncer; macOS: brew install pgbouncer)',
  find: () => onPath('pgbouncer') ?? firstFile(['/usr/sbin/pgbouncer']),
};

/** @type {Need} */
export const nginx = {
  name: 'nginx',
  debianPackage: 'nginx-light',
  tests: 'the tests that stream through nginx',
  howTo:
    'install nginx 1.18 or newer (Debian, Ubuntu: apt-get install nginx-light; macOS: brew install nginx)',
  find: () => onPath('nginx') ?? firstFile(['/usr/sbin/nginx']),
};

/** @type {Need} */
export const haproxy = {
  name: 'HAProxy',
  debianPackage: 'haproxy',
  tests: 'the tests that stream through HAProxy',
  howTo:
    'install HAProxy 2.4 or newer (Debian, Ubuntu: apt-get install haproxy; macOS: brew install haproxy)',
  find: () => onPath('haproxy') ?? firstFile(['/usr/sbin/haproxy']),
};

/** @type {Need} */
export const buildah = {
  name: 'buildah',
  debianPackage: 'buildah',
  tests: "the test that builds the server's image",
  howTo: 'install buildah (Debian, Ubuntu: apt-get install buildah)',
  find: () => onPath('buildah'),
};

/** @type {Need} */
export const php = {
  name: 'PHP',
  debianPackage: 'php-cli',
  tests: 'the test that follows docs/server/quickstart.md',
  howTo: 'install PHP 8 (Debian, Ubuntu: apt-get install php-cli; macOS: brew install php)',
  find: () => onPath('php'),
};

/** @type {Need} */
export const systemd = {
  name: 'systemd-analyze',
  debianPackage: 'systemd',
  tests: 'the test of the unit for systemd',
  howTo: 'install systemd 250 or newer (Debian, Ubuntu: apt-get install systemd); other systems have none',
  find: () => onPath('systemd-analyze'),
};

/** @type {readonly Need[]} */
export const needs = [chromium, redis, postgres, pgbouncer, nginx, haproxy, php, systemd, buildah];

/** Debian keeps the servers of all versions off the PATH. Newest first. */
function debianPostgres() {
  const folder = '/usr/lib/postgresql';
  if (!existsSync(folder)) return [];
  const versions = readdirSync(folder).sort((a, b) => Number(b) - Number(a));
  return versions.map((version) => join(folder, version, 'bin/postgres'));
}

const macApps = [
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

/** @param {...string} names */
function onPath(...names) {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  return firstFile(names.flatMap((name) => folders.map((folder) => join(folder, name))));
}

/** @param {readonly string[]} paths */
function firstFile(paths) {
  return paths.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false; // not there, or not ours to run: either way the next candidate
    }
  });
}
