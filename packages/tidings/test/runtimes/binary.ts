import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const require = createRequire(import.meta.url);

const ARCH = process.arch === 'arm64' ? 'aarch64' : 'x64';
const LIBC = process.platform === 'linux' ? '-glibc' : '';
const EXTENSION = process.platform === 'win32' ? '.exe' : '';

// Each brings its binary as an optional dependency of its own, one package for each platform.
const BINARIES = {
  bun: [`@oven/bun-${process.platform.replace('win32', 'windows')}-${ARCH}`, 'bin/bun'],
  deno: [`@deno/${process.platform}-${process.arch}${LIBC}`, 'deno'],
} as const;

export function runtimeBinary(runtime: keyof typeof BINARIES): string {
  const [name, path] = BINARIES[runtime];
  const from = createRequire(require.resolve(`${runtime}/package.json`));
  return join(dirname(from.resolve(`${name}/package.json`)), path + EXTENSION);
}
