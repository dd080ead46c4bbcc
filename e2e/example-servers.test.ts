// The plain page of the small apps, as the Express one serves it.
import { fileURLToPath } from 'node:url';
import { useExample } from './example-app.ts';
import { eventually, test } from './test.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const app = useExample(root, 'examples/servers/express.js');

test('the plain page publishes, and shows what others publish, markup as text', async ({ newVisitor }) => {
  const [ann, bob] = [await newVisitor(app.origin), await newVisitor(app.origin)];
  const [annPage, bobPage] = [await ann.open('/'), await bob.open('/')];
  for (const page of [annPage, bobPage])
    await eventually(() => page.getByRole('status').textContent()).toBe('open');
  await annPage.getByLabel('Title').fill('<b>High tide</b>');
  await annPage.getByRole('button', { name: 'Publish' }).click();
  for (const page of [annPage, bobPage])
    await eventually(() => page.locator('li').allTextContents()).toEqual(['<b>High tide</b>']);
  await eventually(() => annPage.getByLabel('Title').inputValue()).toBe('');
});
