import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { errorCodes } from '../packages/tidings/src/protocol/errors.ts';

it('docs/errors.md explains every error code, and no code that does not exist', () => {
  const page = readFileSync(new URL('../docs/errors.md', import.meta.url), 'utf8');
  // A code is documented where a heading or the first cell of a table row is the code.
  const documented = [...page.matchAll(/^(?:#+ |\| *)`([a-z]+\/[a-z-]+)`/gm)].map(([, code]) => code);
  expect(new Set(documented)).toEqual(new Set(errorCodes));
});
