// Packs the packages from a clean clone of HEAD, checks the tarballs and leaves them in release/. With `--publish`
// it then publishes those that the registry doesn't have, and tags them. `--dry-run` only skips publishing and tags.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { checkPacked, packAll, run } from './packages.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const { values: options } = parseArgs({
  options: { publish: { type: 'boolean', default: false }, 'dry-run': { type: 'boolean', default: false } },
});

const changed = git('status', '--porcelain');
if (changed !== '') stop(`There are changes that aren't committed:\n${changed}`);
const pending = readdirSync(join(root, '.changeset')).filter((name) => /(?<!README)\.md$/.test(name));
if (options.publish && pending.length > 0) {
  stop(`Run "npm run release:version" and commit what it does first. Pending: ${pending.join(', ')}`);
}

const packed = packFromClone();
for (const { file } of packed) console.log(`Packed and checked: ${file}`);
if (options.publish || options['dry-run']) {
  for (const one of packed) publish(one);
  // Prints "New tag: …", from which the release workflow makes the releases on GitHub.
  if (!options['dry-run']) execFileSync('npx', ['changeset', 'tag'], { cwd: root, stdio: 'inherit' });
}

function packFromClone() {
  const clone = mkdtempSync(join(tmpdir(), 'tidings-release-'));
  const destination = join(root, 'release');
  try {
    run('git', ['clone', '--quiet', '--no-local', root, clone], root);
    run('npm', ['ci', '--no-audit', '--no-fund'], clone);
    rmSync(destination, { recursive: true, force: true });
    const tarballs = packAll(clone, destination);
    const problems = checkPacked(tarballs, clone);
    if (problems.length > 0) stop(problems.join('\n'));
    return tarballs;
  } finally {
    rmSync(clone, { recursive: true });
  }
}

function publish(/** @type {import('./packages.mjs').Packed} */ { manifest: { name, version }, file }) {
  if (isPublished(`${name}@${version}`)) {
    console.log(`${name}@${version} is published already.`);
    return;
  }
  // In CI the registry trusts the workflow's identity, and npm adds the provenance by itself.
  const args = ['publish', file, '--access', 'public', ...(options['dry-run'] ? ['--dry-run'] : [])];
  execFileSync('npm', args, { cwd: root, stdio: 'inherit' });
}

/** @param {string} spec */
function isPublished(spec) {
  const { status, stdout, stderr } = spawnSync('npm', ['view', spec, 'version'], { encoding: 'utf8' });
  if (status === 0) return stdout.trim() !== '';
  if (/\bE404\b/.test(stderr)) return false;
  return stop(`Whether ${spec} is published can't be found out:\n${stderr}`);
}

function git(/** @type {string[]} */ ...args) {
  return execFileSync('git', args, { cwd: root, encoding: 'utf8' });
}

/** @param {string} message @returns {never} */
function stop(message) {
  console.error(message);
  process.exit(1);
}
