// Runs before the tests: on Debian as root it installs their needs, elsewhere it names the missing ones.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { needs } from './needs.mjs';

const missing = () => needs.filter((need) => need.find() === undefined);

if (missing().length > 0 && mayInstall()) {
  const wanted = missing();
  console.log(`Installing ${wanted.map((need) => need.debianPackage).join(', ')} for the tests (apt-get) …`);
  apt('update');
  withoutServices(() => {
    apt('install', '--yes', '--no-install-recommends', ...wanted.map((need) => need.debianPackage));
  });
  for (const need of wanted) {
    const path = need.find();
    if (path !== undefined) console.log(`Installed ${need.debianPackage}: ${path}`);
  }
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

/**
 * Packages of servers start them when they are installed. Tests start servers of their own, on free ports, so here
 * nothing is to be started: https://people.debian.org/~hmh/invokerc.d-policyrc.d-specification.txt
 *
 * @param {() => void} install
 */
function withoutServices(install) {
  const policy = '/usr/sbin/policy-rc.d';
  // The machine's own policy, as in container images, is left alone.
  if (existsSync(policy)) return install();
  writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    install();
  } finally {
    rmSync(policy);
  }
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
