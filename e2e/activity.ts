import type { Page } from 'playwright-core';
import type { Post } from '../examples/live/src/shared/api.ts';
import type { Visitor } from './visitor.ts';

const STEP = 500;

const sentences = [
  'Low water at six, high water at noon.',
  'The ferry is late again.',
  'Two seals on the sandbank this morning!',
  'Wind from the west, four, gusts of six.',
  'Who has the key to the boathouse?',
  'Fresh crab at the harbour until eleven.',
  'Light mist, it will be gone by nine.',
  'The buoy off the pier has moved, mind it.',
];

/** Some people at once, as on a good day: posts come in waves, pages are opened, and some are closed again. */
export async function beActive(people: readonly Visitor[], ms: number): Promise<void> {
  const pages: Page[] = [];
  const posts: Post[] = [];
  const began = performance.now();
  for (let step = 0, share = 0; share < 1; step += 1, share = (performance.now() - began) / ms) {
    const author = people[step % people.length];
    const liker = people[(step * 3 + 1) % people.length];
    if (author === undefined || liker === undefined) return;
    // From none to four posts a step, up and down again.
    const wave = Math.round(2 - 2 * Math.cos((step / 24) * 2 * Math.PI));
    for (let count = 0; count < wave; count += 1) {
      posts.push(await author.post(sentences[posts.length % sentences.length] ?? ''));
    }
    const liked = posts.at(-1 - (step % 5));
    if (liked !== undefined) await liker.send('PUT', `/posts/${liked.id}/like`);
    const open = Math.round(1 + 6 * Math.sin(share * 0.75 * Math.PI));
    if (pages.length < open) pages.push(await author.open('/feed'));
    else if (pages.length > open) await pages.shift()?.close();
    // The pace of people, not a wait for anything.
    await new Promise((resolve) => setTimeout(resolve, STEP));
  }
}
