import { afterAll, expect, test } from 'vitest';
import { installPacked } from './packed.mjs';

const project = installPacked();
afterAll(() => project.remove());

test('the packed library compiles and runs in a project of its own, by its public exports alone', () => {
  project.write(
    'user.ts',
    `import { Tail } from 'tidings/log';
     import { logContract } from 'tidings/testing';
     console.log(new Tail({ epoch: 'e', retention: {} }).head, logContract.length > 0);`,
  );
  expect(project.compile()).toBe('');
  expect(project.run('user.js')).toEqual({ status: 0, output: '0 true\n' });
  project.write('stranger.ts', `import 'tidings/dist/log/tail.js';\n`);
  expect(project.compile()).toMatch(/stranger\.ts.*TS2307|TS2882/);
});
