import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { settingsTables } from '../../test/settings-tables.ts';
import { SETTINGS } from '../server/table.ts';

const PAGE = new URL('../../../../docs/server-settings.md', import.meta.url);
const MARK =
  '<!-- TIDINGS_UPDATE_DOCS=1 npx vitest run --project unit settings-doc writes what follows. -->\n\n';

test('docs/server-settings.md has every setting with its default', () => {
  const page = readFileSync(PAGE, 'utf8');
  const expected = page.slice(0, page.indexOf(MARK)) + MARK + settingsTables(SETTINGS);
  if (process.env['TIDINGS_UPDATE_DOCS'] === '1') writeFileSync(PAGE, expected);
  expect(readFileSync(PAGE, 'utf8')).toBe(expected);
});
