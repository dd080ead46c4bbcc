// Runs before the tests: on Debian as root it installs what they need, elsewhere it says what is missing.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { needs } from './needs.mjs';

const missing = () => needs.filter((need) => need.find() === undefined);

if (missing().length > 0 && mayInstall()) {
  const packages = missing().map((need) => need.debianPackage);
  console.log(`Installing ${packages.join(', ')} for the tests (apt-get) …`);
  apt('update');
  apt('install', '--yes', '--no-install-recommends', ...packages);
}

for (const need of missing()) {
  console.log(`\n${need.name} is missing, so ${need.tests} will be skipped. To run them: ${need.howTo}.\n`);
}

/** Debian itself only: on its derivatives the same package name may be a stub (Ubuntu's is a snap). */
function mayInstall() {
  return (
    process.getuid?.() === 0 &&
    existsSync('/etc/os-release') &&
    /^ID=debian$/m.test(readFileSync('/etc/os-release', 'utf8'))
  );
}

/** @param {...string} args */
function apt(...args) {
  const { status } = spawnSync('apt-get', ['-q', ...args], {
    stdio: 'inherit',
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
  // Not fatal: the tests that need the package skip themselves, and in CI a skipped test fails the run.
  if (status !== 0) console.error(`apt-get ${args[0]} failed.`);
}
